"""``DjangoInbox`` on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connections, transaction

from dubhooks import ConfigurationError, postbacks
from dubhooks.django import DjangoInbox
from dubhooks.testing import make_event
from dubhooks.webhooks import CommissionCreated, LinkCreated, SaleCreated
from tests.support.stores.django_databases import alias, alias_of, in_thread

__all__ = ["alias", "alias_of"]  # fixtures


def test_inbox_notes_the_event_with_its_effect(alias: str) -> None:
    """An event is the first until a transaction that noted it is committed."""
    inbox, event = DjangoInbox(using=alias), make_event(SaleCreated)
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
        DjangoInbox(using=alias).first(make_event(SaleCreated))


def test_inbox_knows_the_same_thing_under_another_id(alias: str) -> None:
    """Dub's own jobs can send one commission under two ids; a postback of it is another thing."""
    inbox = DjangoInbox(using=alias)
    webhook = make_event(CommissionCreated, data__id="cm_1")
    again = make_event(CommissionCreated, data__id="cm_1")
    postback = make_event(postbacks.CommissionCreated, data__id="cm_1")
    plain = make_event(LinkCreated)
    with transaction.atomic(using=alias):
        assert inbox.first(webhook, dedupe="natural")
        assert inbox.first(postback, dedupe="natural")
        assert inbox.first(plain, dedupe="natural")
    with transaction.atomic(using=alias):
        assert not inbox.first(webhook, dedupe="natural")
        assert not inbox.first(again, dedupe="natural")
        assert not inbox.first(plain, dedupe="natural")


def test_inbox_tells_case_apart(alias: str) -> None:
    """Ids that differ only in case are two events, whatever the collation of the database."""
    inbox, event_id = DjangoInbox(using=alias), make_event(SaleCreated).id
    with transaction.atomic(using=alias):
        assert inbox.first(make_event(SaleCreated, id=event_id.swapcase()))
        assert inbox.first(make_event(SaleCreated, id=event_id))


def test_inbox_waits_for_the_other_transaction(alias_of: Callable[[str], str]) -> None:
    """A second delivery waits: it is the first if and only if the other one is rolled back."""
    for engine in ("postgresql", "mariadb"):
        alias = alias_of(engine)
        inbox = DjangoInbox(using=alias)
        for is_committed in (True, False):
            event = make_event(SaleCreated)

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
    inbox, event = DjangoInbox(using=alias), make_event(SaleCreated)
    with transaction.atomic(using=alias):
        inbox.first(event)
    assert inbox.purge(timedelta(days=1)) == inbox.purge(86_400) == 0
    deadline = time.monotonic() + 10
    is_first = False
    while not is_first:
        inbox.purge(0)
        with transaction.atomic(using=alias):
            is_first = inbox.first(event)
        assert time.monotonic() < deadline
    with pytest.raises(ConfigurationError, match="0 or more"):
        inbox.purge(timedelta(days=-1))


def test_inbox_forgets_an_event(alias: str) -> None:
    """A note that is deleted lets the effect happen again, whatever it was noted under."""
    inbox = DjangoInbox(using=alias)
    event = make_event(CommissionCreated, data__id=f"cm_{alias}")
    postback = make_event(postbacks.CommissionCreated, data__id=f"cm_{alias}")
    noted: list[tuple[Any, Any, Any]] = [
        (event, "id", event.id),
        (event, "id", event),
        (event, "natural", event),
        (event, "natural", event.natural_key),
        (postback, "natural", event.natural_key),
    ]
    for one, dedupe, what in noted:
        assert not inbox.forget(what)
        with transaction.atomic(using=alias):
            assert inbox.first(one, dedupe=dedupe)
        assert not DjangoInbox(using=alias, namespace="other").forget(what)
        assert inbox.forget(what)
    with transaction.atomic(using=alias):
        assert inbox.first(event)
    nothings: list[Any] = ["", 5]
    for nothing in nothings:
        with pytest.raises(ConfigurationError, match="forget takes an event"):
            inbox.forget(nothing)


def test_inbox_in_async_code(alias: str) -> None:
    """The async forms work in the request's thread, so in the transaction that is open there."""
    inbox, event = DjangoInbox(using=alias), make_event(SaleCreated)

    async def take() -> list[object]:
        taken = [await inbox.afirst(event) for _ in "12"]
        return [*taken, await inbox.aforget(event), await inbox.afirst(event)]

    with transaction.atomic(using=alias):
        assert async_to_sync(take)() == [True, False, True, True]
        transaction.set_rollback(True, using=alias)
    assert async_to_sync(inbox.apurge)(86_400) == 0
    assert not async_to_sync(inbox.aforget)(event), "the note outlived its transaction"
    with pytest.raises(ConfigurationError, match="first\\(\\) needs the transaction"):
        async_to_sync(inbox.afirst)(event)
