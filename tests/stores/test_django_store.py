"""``DjangoStore`` and ``DjangoInbox`` on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import threading
import unittest
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar

import django_setup
import pytest
from django.db import DatabaseError, OperationalError, connections, transaction
from django.test import TestCase

from dubhooks import Claim, ConfigurationError, Webhooks
from dubhooks.django import DjangoInbox, DjangoStore
from dubhooks.testing import StoreContract, make_event, signed_request
from dubhooks.webhooks import SaleCreated
from servers import MariaDBServer, PostgreSQLServer

SECRET = "whsec_0123456789abcdef0123456789abcdef"
TIMES: dict[str, Any] = {"lease": 60.0, "retention": 3600.0}
PRINT = "f" * 64


def postgresql(server: PostgreSQLServer, **options: Any) -> dict[str, Any]:
    """Return Django's settings of a PostgreSQL database."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "test",
        "USER": "dubhooks",
        "HOST": server.host,
        "PORT": server.port,
        "OPTIONS": options,
    }


def mariadb(server: MariaDBServer, **options: Any) -> dict[str, Any]:
    """Return Django's settings of a MariaDB database, with a driver that needs no compiler."""
    import pymysql

    pymysql.version_info = (2, 2, 1, "final", 0)  # Django looks at the version of mysqlclient
    pymysql.install_as_MySQLdb()
    return {
        "ENGINE": "django.db.backends.mysql",
        "NAME": "test",
        "USER": "dubhooks",
        "HOST": server.host,
        "PORT": server.port,
        "OPTIONS": options,
    }


@pytest.fixture(scope="session")
def alias_of(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Return a function that makes a database of an engine ready, once, and returns its alias."""
    ready: set[str] = set()

    def prepared(engine: str) -> str:
        if engine not in ready:
            django_setup.add_database(engine, _database(request, engine))
            ready.add(engine)
        return engine

    return prepared


def _database(request: pytest.FixtureRequest, engine: str) -> dict[str, Any]:
    if engine == "sqlite":
        return django_setup.sqlite("stores.db")
    if engine == "mariadb":
        return mariadb(request.getfixturevalue("mariadb_server"))
    server = request.getfixturevalue("postgresql_server")
    if engine == "serializable":
        import psycopg

        return postgresql(server, isolation_level=psycopg.IsolationLevel.SERIALIZABLE)
    return postgresql(server)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def alias(request: pytest.FixtureRequest, alias_of: Callable[[str], str]) -> Iterator[str]:
    """Return the alias of a database of each engine."""
    yield alias_of(request.param)
    connections.close_all()


class DjangoStoreContract(StoreContract):
    """What every engine must do."""

    engine: ClassVar[str] = "sqlite"

    @pytest.fixture(autouse=True)
    def _prepared(self, alias_of: Callable[[str], str]) -> Iterator[None]:
        self.alias = alias_of(self.engine)
        yield
        connections.close_all()

    def make_store(self) -> DjangoStore:
        """Return a store on the engine."""
        return DjangoStore(using=self.alias)

    def leave_thread(self) -> None:
        """Close the thread's connection, as Django does after a request."""
        connections.close_all()


class TestDjangoStoreOnSQLite(DjangoStoreContract):
    """On SQLite."""


class TestDjangoStoreOnPostgreSQL(DjangoStoreContract):
    """On PostgreSQL."""

    engine = "postgresql"


class TestDjangoStoreOnSerializable(DjangoStoreContract):
    """On PostgreSQL, with every statement serializable."""

    engine = "serializable"


class TestDjangoStoreOnMariaDB(DjangoStoreContract):
    """On MariaDB."""

    engine = "mariadb"


del DjangoStoreContract  # it is no test of its own


def claim(store: DjangoStore, key: str, owner: str = "one", **changes: Any) -> Claim:
    """Claim a key."""
    return store.claim(key, owner, fingerprint=PRINT, **(TIMES | changes))


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start a call in a thread with a connection of its own."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def test_inside_a_transaction_nothing_is_claimed(alias: str) -> None:
    """Inside atomic() the store refuses to work, because a rollback would undo the claim."""
    store, key = DjangoStore(using=alias), f"atomic:{alias}"
    for call in (
        lambda: claim(store, key),
        lambda: store.complete(key, "one", retention=60.0),
        lambda: store.release(key, "one"),
        store.purge,
    ):
        with transaction.atomic(using=alias), pytest.raises(ConfigurationError, match="atomic"):
            call()
    transaction.set_autocommit(False, using=alias)
    try:
        with pytest.raises(ConfigurationError, match="set_autocommit"):
            claim(store, key)
    finally:
        transaction.rollback(using=alias)
        transaction.set_autocommit(True, using=alias)
    assert claim(store, key) == ("acquired", 1, PRINT, 0.0)


def test_a_delivery_inside_a_transaction_is_not_lost(
    alias: str, caplog: pytest.LogCaptureFixture
) -> None:
    """hooks.handle() inside atomic() answers 503, says why, and runs nothing: Dub tries again."""
    ran: list[str] = []
    hooks = Webhooks(SECRET, store=DjangoStore(using=alias))
    hooks.on(SaleCreated)(lambda event: ran.append(event.id))
    event = make_event("sale.created")
    with transaction.atomic(using=alias):
        assert hooks.handle(*signed_request(event, SECRET)).status == 503
    assert "called inside a transaction" in caplog.text
    assert hooks.handle(*signed_request(event, SECRET)).outcome == "handled"
    assert ran == [event.id]


def test_in_a_test_case_of_django(alias: str) -> None:
    """In a TestCase, which is one transaction that is rolled back, the store works."""
    states: list[str] = []

    class Case(TestCase):
        databases: ClassVar[set[str]] = {alias}

        def test(self) -> None:
            store = DjangoStore(using=alias)
            states.append(claim(store, "case").state)
            assert store.complete("case", "one", retention=60.0)
            states.append(claim(store, "case", "two").state)

    for _ in range(2):
        outcome = unittest.TestResult()
        unittest.TestSuite([Case("test")]).run(outcome)
        assert outcome.wasSuccessful(), outcome.errors + outcome.failures
    assert states == ["acquired", "done"] * 2


def test_a_missing_table_is_named(alias: str) -> None:
    """Without the migration the errors say what to run."""
    from django.core.management import call_command

    call_command("migrate", "dubhooks", "zero", database=alias, verbosity=0)
    try:
        with pytest.raises(ConfigurationError, match=f"manage.py migrate --database {alias}"):
            claim(DjangoStore(using=alias), "missing")
        with (
            pytest.raises(ConfigurationError, match=f"manage.py migrate --database {alias}"),
            transaction.atomic(using=alias),
        ):
            DjangoInbox(using=alias).first(make_event("sale.created"))
    finally:
        call_command("migrate", "dubhooks", database=alias, verbosity=0)


def test_purge(alias: str) -> None:
    """Purging deletes what is over, in batches, and nothing else."""
    store = DjangoStore(using=alias)
    store.purge()
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        rows = [(f"old:{number}", "t", 2, 1, "", 0.0, 1.0) for number in range(1_500)]
        cursor.executemany(
            "INSERT INTO dubhooks_claim (claim_key, token, state, attempt, fingerprint, "
            "lease_until, keep_until) VALUES (%s, %s, %s, %s, %s, %s, %s)",
            rows,
        )
    claim(store, f"kept:{alias}")
    assert store.purge() == 1_500
    assert store.purge() == 0
    assert claim(store, f"kept:{alias}", "two").state == "busy"


def test_claims_purge_now_and_then(alias: str) -> None:
    """What is over is deleted without any command when claims go on coming."""
    store = DjangoStore(using=alias)
    store.purge()
    claim(store, f"over:{alias}", retention=0.000_001)
    for number in range(260):
        claim(store, f"more:{alias}:{number}")
    assert store.purge() == 0


@pytest.mark.parametrize("engine", ["postgresql", "mariadb"])
def test_purging_while_claiming(engine: str, alias_of: Callable[[str], str]) -> None:
    """A row that a claim renews while it is being deleted stays."""
    alias = alias_of(engine)
    store, key = DjangoStore(using=alias), f"renewed:{engine}"
    claim(store, key)

    def change(assignments: str) -> None:
        with connections[alias].cursor() as cursor:
            cursor.execute(f"UPDATE dubhooks_claim SET {assignments} WHERE claim_key = %s", [key])

    change("keep_until = 1")
    with transaction.atomic(using=alias):
        change("keep_until = 9e9, lease_until = 9e9")
        purging, results = in_thread(DjangoStore(using=alias).purge)
        purging.join(0.5)
        assert not results  # it waits for the row
    purging.join(30)
    assert results == [0]
    assert claim(store, key, "two").state == "busy"
    connections.close_all()


@pytest.mark.parametrize("over", ["keep_until", "lease_until"])
def test_taking_over_while_the_owner_renews(alias: str, over: str) -> None:
    """A claim that its owner renews just before another takes it over stays the owner's."""
    store, key = DjangoStore(using=alias), f"renewed:{alias}:{over}"
    claim(store, key)
    with connections[alias].cursor() as cursor:
        cursor.execute(f"UPDATE dubhooks_claim SET {over} = 1 WHERE claim_key = %s", [key])
    renewed: list[Any] = []

    def renew_first(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and not renewed:
            thread, results = in_thread(lambda: claim(DjangoStore(using=alias), key))
            thread.join(30)
            renewed.extend(results)
        return execute(sql, params, many, context)

    with connections[alias].execute_wrapper(renew_first):
        assert claim(store, key, "two").state == "busy"
    assert renewed == [("acquired", 1, PRINT, 0.0)]
    assert store.complete(key, "one", retention=60.0)


def test_an_answer_that_is_lost(alias: str) -> None:
    """What was done although its answer got lost counts as done by the next try."""
    store, key = DjangoStore(using=alias), f"lost:{alias}"
    lost: list[str] = []

    def lose_first(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.split()[0] not in lost:
            lost.append(sql.split()[0])
            raise OperationalError("the connection broke before the answer came")
        return result

    connections[alias].ensure_connection()  # which makes statements of its own
    with connections[alias].execute_wrapper(lose_first):
        assert claim(store, key) == ("acquired", 1, PRINT, 0.0)
        lost.remove("UPDATE")
        assert store.complete(key, "one", retention=60.0)
    assert lost == ["INSERT", "SELECT", "UPDATE"]
    assert claim(store, key, "two").state == "done"
    assert not store.complete(key, "one", retention=60.0)


def test_purging_that_fails_costs_no_claim(alias: str, caplog: pytest.LogCaptureFixture) -> None:
    """A claim that was made counts, also when what it tidies up on the way cannot be deleted."""
    store = DjangoStore(using=alias)

    def fail(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("DELETE"):
            raise DatabaseError("no")
        return execute(sql, params, many, context)

    with connections[alias].execute_wrapper(fail):
        states = {claim(store, f"tidy:{alias}:{number}").state for number in range(256)}
    assert states == {"acquired"}
    assert "old claims could not be deleted: DatabaseError" in caplog.text


def test_a_connection_that_was_cut_is_replaced(alias_of: Callable[[str], str]) -> None:
    """A connection that the server closed while it was idle costs no delivery."""
    alias = alias_of("postgresql")
    store = DjangoStore(using=alias)
    claim(store, "before the cut")
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()

    def cut() -> None:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))

    thread, results = in_thread(cut)
    thread.join(30)
    assert results == [None]
    assert claim(store, "after the cut").state == "acquired"
    assert store.complete("before the cut", "one", retention=60.0)
    connections.close_all()


def test_a_server_that_is_away_is_an_error() -> None:
    """Without a connection the store raises at once, and works when the server is back."""
    with PostgreSQLServer() as server:
        django_setup.add_database("away", postgresql(server, connect_timeout=2))
        store = DjangoStore(using="away")
        claim(store, "open")
        server.kill()
        with pytest.raises(DatabaseError):
            claim(store, "key")
        server.start()
        assert claim(store, "key").state == "acquired"
        assert store.complete("open", "one", retention=60.0)
        connections.close_all()


def test_a_locked_file_is_waited_for(alias_of: Callable[[str], str]) -> None:
    """On SQLite a claim waits for another writer."""
    alias = alias_of("sqlite")
    locked, go = threading.Event(), threading.Event()

    def lock() -> None:
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute("DELETE FROM dubhooks_claim WHERE claim_key = 'nothing'")
            locked.set()
            assert go.wait(20)

    thread, results = in_thread(lock)
    assert locked.wait(20)
    waiting, claims = in_thread(lambda: claim(DjangoStore(using=alias), "waited for"))
    assert not claims
    go.set()
    thread.join(30)
    waiting.join(30)
    assert results == [None]
    assert claims == [("acquired", 1, PRINT, 0.0)]


def test_rows_can_be_looked_at(alias: str) -> None:
    """The models read what the store and the inbox wrote, as text on every engine."""
    from dubhooks.django.models import Claim as Row
    from dubhooks.django.models import SeenEvent

    event, key = make_event("sale.created"), f"seen:{alias}"
    claim(DjangoStore(using=alias), key)
    with transaction.atomic(using=alias):
        assert DjangoInbox(using=alias).first(event)
    row = Row.objects.using(alias).get(claim_key=key)
    assert (str(row), row.token, row.attempt, row.fingerprint) == (key, "one", 1, PRINT)
    assert not Row.objects.using(alias).filter(claim_key=key.upper()).exists()
    assert f"default:{event.id}" in map(str, SeenEvent.objects.using(alias).all())


def test_an_engine_that_is_not_supported() -> None:
    """An engine whose statements nobody has tried is refused by its name."""
    every = {**connections.settings, "nothing": {"ENGINE": "django.db.backends.dummy"}}
    connections.settings = connections.configure_settings(every)
    with pytest.raises(ConfigurationError, match="is not supported: use PostgreSQL"):
        claim(DjangoStore(using="nothing"), "key")


def test_the_app_must_be_installed() -> None:
    """Without the app, and on an engine that is not supported, the error says so."""
    from django.test import modify_settings

    with (
        modify_settings(INSTALLED_APPS={"remove": ["dubhooks.django", "django_shop"]}),
        pytest.raises(ConfigurationError, match="INSTALLED_APPS"),
    ):
        claim(DjangoStore(), "key")


def test_the_routers_choose_the_database() -> None:
    """Without ``using`` the claims are where the project's routers write them."""
    from django.test import override_settings

    class Router:
        def db_for_write(self, model: type, **_: object) -> str | None:
            return "other" if model.__name__ == "Claim" else None

    with override_settings(DATABASE_ROUTERS=[Router()]):
        store = DjangoStore()
        assert store.alias == "other"
    assert claim(store, "routed").state == "acquired"
    assert claim(DjangoStore(using="other"), "routed", "two").state == "busy"
    assert claim(DjangoStore(using="default"), "routed", "two").state == "acquired"
    assert repr(DjangoStore(using="other")) == "DjangoStore(using='other')"
    connections.close_all()


# -- the inbox ------------------------------------------------------------------------------------


def test_inbox_notes_the_event_with_its_effect(alias: str) -> None:
    """An event is the first until a transaction that noted it is committed."""
    inbox, event = DjangoInbox(using=alias), make_event("sale.created")
    with transaction.atomic(using=alias):
        assert inbox.first(event)
        assert not inbox.first(event)
        transaction.set_rollback(True, using=alias)
    with transaction.atomic(using=alias):
        assert inbox.first(event)
    with transaction.atomic(using=alias):
        assert not inbox.first(event)
        assert DjangoInbox(using=alias, namespace="other").first(event)


def test_inbox_refuses_to_work_without_a_transaction(alias: str) -> None:
    """Outside atomic() the note and the effect would not be one."""
    with pytest.raises(ConfigurationError, match=rf"transaction.atomic\(using='{alias}'\)"):
        DjangoInbox(using=alias).first(make_event("sale.created"))


def test_inbox_tells_case_apart(alias: str) -> None:
    """Ids that differ only in case are two events, whatever the collation of the database."""
    inbox, event_id = DjangoInbox(using=alias), make_event("sale.created").id
    with transaction.atomic(using=alias):
        assert inbox.first(make_event("sale.created", id=event_id.swapcase()))
        assert inbox.first(make_event("sale.created", id=event_id))


def test_inbox_waits_for_the_other_transaction(alias_of: Callable[[str], str]) -> None:
    """A second delivery waits: it is the first if and only if the other one is rolled back."""
    for engine in ("postgresql", "mariadb"):
        alias = alias_of(engine)
        inbox = DjangoInbox(using=alias)
        for is_committed in (True, False):
            event = make_event("sale.created")

            def second(event: Any = event, alias: str = alias) -> bool:
                with transaction.atomic(using=alias):
                    return DjangoInbox(using=alias).first(event)

            with transaction.atomic(using=alias):
                assert inbox.first(event)
                thread, results = in_thread(second)
                thread.join(0.3)
                assert not results
                transaction.set_rollback(not is_committed, using=alias)
            thread.join(30)
            assert results == [not is_committed]
    connections.close_all()


def test_inbox_forgets_what_is_old(alias: str) -> None:
    """Purging forgets what was noted longer ago than asked, and keeps the rest."""
    inbox, event = DjangoInbox(using=alias), make_event("sale.created")
    with transaction.atomic(using=alias):
        inbox.first(event)
    assert inbox.purge(timedelta(days=1)) == 0
    assert inbox.purge(timedelta(seconds=-5)) >= 1
    with transaction.atomic(using=alias):
        assert inbox.first(event)
