"""``DjangoInbox`` on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction

from dubhooks import ConfigurationError
from dubhooks.django import DjangoInbox
from dubhooks.testing import make_event
from dubhooks.webhooks import SaleCreated


def test_inbox_refuses_to_work_without_a_transaction(alias: str) -> None:
    """Outside atomic() the note and the effect would not be one."""
    with pytest.raises(ConfigurationError, match=rf"transaction.atomic\(using='{alias}'\)"):
        DjangoInbox(using=alias).first(make_event(SaleCreated))


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
