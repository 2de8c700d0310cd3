"""All kinds of stores and inboxes in one database, and tables that are not ours."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect, text

from dubhooks import ConfigurationError, SQLiteInbox, SQLiteStore, Webhooks
from dubhooks.stores.sqlalchemy import SQLAlchemyInbox, SQLAlchemyStore
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.stores.sql_cases import claim

SECRET = "whsec_0123456789abcdef0123456789abcdef"
SALE = make_event(SaleCreated)

MIGRATE = """
import sys
import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
    INSTALLED_APPS=["dubhooks.django"],
)
django.setup()
call_command("migrate", verbosity=0)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database that Django's migration has made."""
    path = tmp_path / "shop.db"
    subprocess.run([sys.executable, "-c", MIGRATE, str(path)], check=True, timeout=60)
    return path


@pytest.fixture
def of_sqlalchemy(path: Path) -> Iterator[Engine]:
    """An engine on that database."""
    engine = create_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


def test_one_file_for_all(path: Path, of_sqlalchemy: Engine) -> None:
    """Stores and inboxes share tables that are the same, so all of them can use one database."""
    inbox = SQLAlchemyInbox()
    inbox.create_table(of_sqlalchemy)
    store = SQLAlchemyStore(of_sqlalchemy.url)
    store.create_table()
    with (
        closing(store),
        closing(SQLiteStore(path)) as other,
        closing(sqlite3.connect(path)) as connection,
    ):
        for each in (store, other):
            request = signed_request(SALE, SECRET)
            hooks = Webhooks(SECRET, store=each)
            hooks.on(SaleCreated)(lambda _: None)
            assert [hooks.handle(*request).outcome for _ in "12"] == ["handled", "duplicate"]
        own = SQLiteInbox()
        with connection:
            own.create_table(connection)
            assert own.first(connection, SALE)
        with of_sqlalchemy.begin() as transaction:
            assert inbox.first(transaction, SALE)
            assert not inbox.first(transaction, SALE)
        with connection:
            assert not own.first(connection, SALE)
    ours = {name for name in inspect(of_sqlalchemy).get_table_names() if "dubhooks" in name}
    assert ours == {
        *("dubhooks_claims", "dubhooks_inbox"),
        *("dubhooks_sqlite_claims", "dubhooks_sqlite_inbox"),
    }


# -- tables that are not ours ---------------------------------------------------------------------

OTHERS = [
    "(id INTEGER PRIMARY KEY, payload TEXT)",
    "(keep_until INTEGER PRIMARY KEY, attempt INTEGER)",
    "({key} VARCHAR(100) PRIMARY KEY, token INTEGER NOT NULL)",
]


@pytest.mark.parametrize("columns", OTHERS)
def test_foreign_table_of_sqlite_store(tmp_path: Path, columns: str) -> None:
    """A table of the same name with other columns is refused with advice, and left as it is."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE dubhooks_sqlite_claims {columns.format(key='key')}")
    with closing(SQLiteStore(path)) as store:
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="rename that table"):
                store.claim("k", "one", fingerprint="f", lease=60.0, retention=60.0)
    with closing(sqlite3.connect(path)) as connection:
        assert not connection.execute("SELECT * FROM dubhooks_sqlite_claims").fetchall()


@pytest.mark.parametrize(
    "columns", [*OTHERS, "({key} TEXT, seen_at REAL)", "({key} TEXT, other INTEGER)"]
)
def test_foreign_table_of_sqlite_inbox(columns: str) -> None:
    """The inbox, too, notes nothing in a table that is not its own."""
    with closing(sqlite3.connect(":memory:")) as connection, connection:
        connection.execute(f"CREATE TABLE dubhooks_sqlite_inbox {columns.format(key='key')}")
        SQLiteInbox().create_table(connection)
        with pytest.raises(ConfigurationError, match="rename it"):
            SQLiteInbox().first(connection, SALE)


def create(engine: Engine, table: str, columns: str) -> None:
    """Create a table that is not ours."""
    key = "claim_key" if table == "dubhooks_claims" else "event_key"
    if engine.dialect.name == "mysql":
        columns = columns.replace("(100)", "(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {table} {columns.format(key=key)}"))


CLAIMS = (
    "({key} VARCHAR(100) PRIMARY KEY, token VARCHAR(64), attempt INTEGER, "
    "fingerprint VARCHAR(64), done BOOLEAN, since BIGINT, lease_until BIGINT, keep_until BIGINT"
)


@pytest.mark.parametrize(
    "columns",
    [
        *OTHERS,
        f"{CLAIMS}, tenant INTEGER NOT NULL)",
        f"{CLAIMS.replace(' PRIMARY KEY', '')})",
        f"{CLAIMS.replace(' PRIMARY KEY', '')}, PRIMARY KEY ({{key}}, token))",
    ],
)
def test_foreign_table_of_sql_store(engine: Engine, columns: str) -> None:
    """A table with other columns, or another primary key, is refused before a claim."""
    create(engine, "dubhooks_claims", columns)
    store = SQLAlchemyStore(engine)
    store.create_table()
    has_columns = columns.startswith(CLAIMS.replace(" PRIMARY KEY", ""))
    if engine.dialect.name == "mysql" and has_columns:
        # It inserts any row.  The first claim is one; nobody gets a second one of the same key.
        assert claim(store).state == "acquired"
    for token in ("two", "three"):
        with pytest.raises(ConfigurationError, match=r"other columns|its primary key"):
            claim(store, token=token)
    if engine.dialect.name != "mysql":
        with engine.connect() as connection:
            assert not connection.execute(text("SELECT * FROM dubhooks_claims")).all()


@pytest.mark.parametrize("columns", OTHERS)
def test_foreign_table_of_sql_inbox(engine: Engine, columns: str) -> None:
    """The SQL inbox notes nothing in a table that is not its own."""
    create(engine, "dubhooks_inbox", columns)
    with engine.connect() as connection:
        with pytest.raises(ConfigurationError, match=r"then call create_table\("):
            SQLAlchemyInbox().first(connection, SALE)
        connection.rollback()
