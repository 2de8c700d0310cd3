"""What comes with Django's tables: the migration, the commands, and the admin."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.test import Client, override_settings
from django.urls import path
from sqlalchemy import create_engine, inspect

from dubhooks import Webhooks, postbacks
from dubhooks.django import DjangoInbox, DjangoStore, _settings
from dubhooks.stores.sqlalchemy import metadata
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import CommissionCreated, SaleCreated
from tests.support.adapters.django_setup import POSTBACK_SECRET, add_database, sqlite
from tests.support.adapters.situations import SECRET
from tests.support.stores.store_cases import claim


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    connections.close_all()


def run(command: str, *arguments: str) -> str:
    """Run a command of ``manage.py``, and return what it prints."""
    output = io.StringIO()
    call_command(command, *arguments, stdout=output)
    return output.getvalue()


def test_the_migration_is_complete() -> None:
    """The models have no change that the migration lacks."""
    run("makemigrations", "dubhooks", "--check", "--dry-run")


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "sqlite"])
def test_the_migration_makes_the_tables_of_sqlalchemy(
    request: pytest.FixtureRequest, kind: str, alias_of: Callable[[str], str], tmp_path: Any
) -> None:
    """A project may use either store on one table: both make the same columns."""
    alias = alias_of(kind)
    migrated = connections.settings[alias]["NAME"]
    made = f"sqlite:///{tmp_path}/made.db"
    of_django = f"sqlite:///{migrated}"
    if kind != "sqlite":
        made = request.getfixturevalue(f"{kind}_server").url()
        of_django = made.replace("/test", f"/{migrated}")
    engine = create_engine(made)
    metadata.create_all(engine)
    engine.dispose()
    assert _tables_of(of_django) == _tables_of(made)


def _tables_of(url: str) -> dict[str, Any]:
    engine = create_engine(url)
    found = inspect(engine)
    tables = {
        table: (
            # PostgreSQL tells any two texts apart, in every collation.
            [
                (each["name"], str(each["type"]).removesuffix(' COLLATE "C"'), each["nullable"])
                for each in columns
            ],
            found.get_pk_constraint(table)["constrained_columns"],
            sorted(each["column_names"] for each in found.get_indexes(table)),
        )
        for table in ("dubhooks_claims", "dubhooks_inbox")
        for columns in (found.get_columns(table),)
    }
    engine.dispose()
    return tables


def test_purge_command() -> None:
    """The command deletes claims whose retention is over, and inbox entries only when asked to."""
    add_database("purged", sqlite("purged.db"))
    store, inbox = DjangoStore(using="purged"), DjangoInbox(using="purged")
    claim(store, "new")
    claim(store, "old", retention=0.000_001)  # the last, because claims purge now and then
    event = make_event(SaleCreated)
    with transaction.atomic(using="purged"):
        assert inbox.first(event)
    time.sleep(0.01)  # what is younger than a millisecond stays
    purge = ("dubhooks_purge", "--database", "purged")
    assert run(*purge) == "claims: 1 deleted\n"
    assert run(*purge, "--inbox-days", "1") == "claims: 0 deleted\ninbox: 0 deleted\n"
    assert run(*purge, "--inbox-days", "0") == "claims: 0 deleted\ninbox: 1 deleted\n"
    with pytest.raises(CommandError, match="invalid choice: 'nowhere'"):
        run("dubhooks_purge", "--database", "nowhere")


def test_forget_command() -> None:
    """The command forgets by id and natural key, in both receivers, and says what it did."""
    ran: list[str] = []
    hooks, postback_hooks = _settings.hooks.__wrapped__(), _settings.postback_hooks.__wrapped__()
    hooks.on(CommissionCreated, dedupe="natural")(lambda event: ran.append(event.id))
    postback_hooks.on(postbacks.SaleCreated)(lambda event: ran.append(event.id))
    commission, sale = make_event(CommissionCreated), make_event(postbacks.SaleCreated)
    deliveries: list[tuple[Any, Any]] = [
        (hooks, signed_request(commission, SECRET)),
        (postback_hooks, signed_request(sale, POSTBACK_SECRET)),
    ]

    def deliver() -> list[str]:
        return [receiver.handle(*delivery).outcome for receiver, delivery in deliveries]

    assert deliver() == ["handled", "handled"]
    assert deliver() == ["duplicate", "duplicate"]
    ids = (commission.id, sale.id, str(commission.natural_key))
    assert run("dubhooks_forget", *ids) == "".join(f"{each}: forgotten\n" for each in ids)
    assert deliver() == ["handled", "handled"]
    assert len(ran) == 4
    with pytest.raises(CommandError, match="not forgotten: evt_x, evt_y: nothing is remembered"):
        run("dubhooks_forget", "evt_x", commission.id, "evt_y")


def test_forget_command_while_a_handler_runs() -> None:
    """An event whose handler runs is not forgotten, and the command fails."""
    event = make_event(SaleCreated)
    hooks = _settings.hooks.__wrapped__()

    @hooks.on(SaleCreated)
    def handle(event: SaleCreated) -> None:
        with pytest.raises(CommandError, match="its handler is running: then try again when"):
            call_command("dubhooks_forget", event.id)

    assert hooks.handle(*signed_request(event, SECRET)).outcome == "handled"
    assert run("dubhooks_forget", event.id) == f"{event.id}: forgotten\n"


def test_forget_command_without_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the receivers of the settings remember nothing, the command says so."""
    command = "dubhooks.django.management.commands.dubhooks_forget"
    monkeypatch.setattr(f"{command}.list_receivers", lambda: {"": Webhooks(SECRET)})
    with pytest.raises(CommandError, match="without a store nothing is remembered"):
        run("dubhooks_forget", "evt_1")


@pytest.mark.parametrize("is_aware", [True, False])
def test_admin(is_aware: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The admin shows, finds and filters claims, and lets nobody make, change or delete one."""
    # ATOMIC_REQUESTS opens a transaction in every database, also of servers that are gone.
    monkeypatch.setattr(connections, "settings", {"default": connections.settings["default"]})
    store, prefix = DjangoStore(using="default"), f"admin-{is_aware}"
    for state in ("held", "free", "done"):
        claim(store, f"{prefix}:{state}")
    store.release(f"{prefix}:free", "one")
    store.complete(f"{prefix}:done", "one", retention=60.0)
    connections.close_all()
    user, _ = get_user_model().objects.get_or_create(
        username="admin", is_staff=True, is_superuser=True
    )
    client = Client()
    client.force_login(user)
    place = "/admin/dubhooks/claim/"

    with override_settings(
        ROOT_URLCONF=(path("admin/", admin.site.urls),), USE_TZ=is_aware, TIME_ZONE="Asia/Tokyo"
    ):

        def find(**query: str) -> list[tuple[Any, ...]]:
            page: Any = client.get(place, query)
            changes = page.context_data["cl"]
            assert all(str(row) in page.content.decode() for row in changes.result_list)
            return sorted(
                (row.claim_key.split(":")[1], changes.model_admin.state(row))
                for row in changes.result_list
            )

        every = [("done", "done"), ("free", "free"), ("held", "held")]
        assert find(q=f"{prefix}:") == every
        assert find(q=f"{prefix}:", done__exact="1") == [("done", "done")]
        assert find(q=f"{prefix}:".upper()) in ([], every)  # SQLite does not tell case apart
        one = f"{place}{prefix}_3Aheld/"
        assert f"{prefix}:held" in client.get(f"{one}change/").content.decode()
        for url in (f"{place}add/", f"{one}delete/", f"{one}change/"):
            assert client.post(url, {"post": "yes"}).status_code == 403, url
        assert client.post(place, {"action": "delete_selected"}).status_code in (200, 302, 403)
    assert claim(store, f"{prefix}:held", "two").state == "busy"


def test_a_database_that_is_out_of_bounds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What pytest-django says to a test without its mark is in the log, with the place."""

    def refuse(*_: Any) -> None:
        raise RuntimeError('Database access not allowed, use the "django_db" mark')

    monkeypatch.setattr(
        "django.db.backends.base.base.BaseDatabaseWrapper.ensure_connection", refuse
    )
    hooks = Webhooks(SECRET, store=DjangoStore())
    hooks.on(SaleCreated)(lambda _: None)
    assert hooks.handle(*signed_request(make_event(SaleCreated), SECRET)).status == 503
    assert 'use the "django_db" mark' in caplog.text
    assert caplog.records[0].exc_info
