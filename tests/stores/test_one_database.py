"""All kinds of stores and inboxes in one database."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, inspect

from dubhooks import SQLiteInbox, SQLiteStore, Webhooks
from dubhooks.stores.sqlalchemy import SQLAlchemyInbox, SQLAlchemyStore
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated

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
