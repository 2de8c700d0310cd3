"""``DjangoStore`` on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import asyncio
import time
import unittest
from collections.abc import Callable, Iterator

import pytest
from django.db import connections, transaction
from django.test import TestCase

from dubhooks import ConfigurationError, Webhooks
from dubhooks.django import DjangoStore
from dubhooks.testing import StoreContract, make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.stores.django_project import add, database_at
from tests.support.stores.store_cases import FINGERPRINT, claim

SECRET = "whsec_0123456789abcdef0123456789abcdef"


SERIALIZABLE = pytest.param("postgresql-serializable", marks=pytest.mark.slow)


class TestContract(StoreContract):
    """The store keeps the contract on every engine, also with every statement serializable."""

    @pytest.fixture(autouse=True, params=["sqlite", "postgresql", "mariadb", SERIALIZABLE])
    def _engine(
        self, request: pytest.FixtureRequest, alias_of: Callable[[str], str]
    ) -> Iterator[None]:
        self.alias = alias_of(request.param)
        yield
        connections.close_all()

    def make_store(self) -> DjangoStore:
        """Return a store on the engine."""
        return DjangoStore(using=self.alias)

    def leave_thread(self) -> None:
        """Close the thread's connection, as Django does after a request."""
        connections.close_all()


def test_inside_a_transaction_nothing_is_claimed(alias: str) -> None:
    """Inside atomic() the store refuses to work, because a rollback would undo the claim."""
    store, key = DjangoStore(using=alias), f"atomic:{alias}"
    for call in (
        lambda: claim(store, key),
        lambda: store.complete(key, "one", retention=60.0),
        lambda: store.release(key, "one"),
        lambda: store.forget(key),
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
    assert claim(store, key) == ("acquired", 1, FINGERPRINT, 0.0)


def test_a_delivery_inside_a_transaction_is_not_lost(
    alias: str, caplog: pytest.LogCaptureFixture
) -> None:
    """hooks.handle() inside atomic() answers 503, says why, and runs nothing: Dub tries again."""
    ran: list[str] = []
    hooks = Webhooks(SECRET, store=DjangoStore(using=alias))
    hooks.on(SaleCreated)(lambda event: ran.append(event.id))
    event = make_event(SaleCreated)
    with transaction.atomic(using=alias):
        assert hooks.handle(*signed_request(event, SECRET)).status == 503
    assert "called inside a transaction" in caplog.text
    assert hooks.handle(*signed_request(event, SECRET)).outcome == "handled"
    assert ran == [event.id]


def test_in_a_test_case_of_django(alias: str) -> None:
    """In a TestCase, which is one transaction that is rolled back, the store works."""
    states: list[str] = []

    class Case(TestCase):
        databases = {alias}  # noqa: RUF012 - as Django declares it

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
    finally:
        call_command("migrate", "dubhooks", database=alias, verbosity=0)


def test_purge(alias: str) -> None:
    """Purging deletes what is over, in batches, and nothing else."""
    store = DjangoStore(using=alias)
    store.purge()
    claim(store, f"kept:{alias}")  # which may purge, so it comes before the rows
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.executemany(
            "INSERT INTO dubhooks_claims (claim_key, token, attempt, fingerprint, done, "
            "since, lease_until, keep_until) VALUES (%s, 't', 1, '', TRUE, 0, 0, 1)",
            [(f"old:{number}",) for number in range(1_500)],
        )
    assert store.purge() == 1_500
    assert store.purge() == 0
    assert claim(store, f"kept:{alias}", "two").state == "busy"


def test_claims_purge_now_and_then(alias: str) -> None:
    """What is over is deleted without any command when claims go on coming."""
    store = DjangoStore(using=alias)
    store.purge()
    claim(store, f"over:{alias}", retention=0.000_001)
    time.sleep(0.01)  # what is younger than a millisecond stays
    for number in range(256):
        claim(store, f"more:{alias}:{number}")
    assert store.purge() == 0


def test_an_engine_that_is_not_supported() -> None:
    """An engine whose statements nobody has tried is refused by its name."""
    add("nothing", {"ENGINE": "django.db.backends.dummy"})
    with pytest.raises(ConfigurationError, match="is not supported: use PostgreSQL"):
        claim(DjangoStore(using="nothing"), "key")


def test_what_django_refuses() -> None:
    """What Django finds in the settings, or on an event loop, is told in its own words."""
    add("odd", database_at("postgresql://nobody@127.0.0.1:1/odd", isolation_level=99))
    with pytest.raises(ConfigurationError, match="Invalid transaction isolation level 99"):
        claim(DjangoStore(using="odd"), "key")

    async def claim_on_the_loop() -> None:
        claim(DjangoStore(), "key")

    with pytest.raises(ConfigurationError, match="cannot call this from an async context"):
        asyncio.run(claim_on_the_loop())


def test_the_app_must_be_installed() -> None:
    """Without the app, and on an engine that is not supported, the error says so."""
    from django.test import modify_settings

    with (
        modify_settings(
            INSTALLED_APPS={"remove": ["dubhooks.django", "tests.support.adapters.django_shop"]}
        ),
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
        assert claim(store, "routed").state == "acquired"
    assert claim(store, "routed").state == "acquired", "a claim must end where it began"
    assert claim(DjangoStore(using="other"), "routed", "two").state == "busy"
    assert claim(DjangoStore(using="default"), "routed", "two").state == "acquired"
    connections.close_all()
