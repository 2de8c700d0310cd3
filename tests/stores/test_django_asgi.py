"""``DjangoStore`` under ASGI, when clients hang up and handlers fail, in strict projects."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

import django
import pytest
from django.test import override_settings
from django.urls import path

import dubhooks.django
from dubhooks import RetryLater, Webhooks
from dubhooks.django import DjangoStore
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.django_setup import PATH, asgi_request
from tests.support.adapters.situations import SECRET
from tests.support.stores.django_project import add, database_at

FORGETS = django.VERSION >= (6, 0)
"""Django 6 with asgiref 3.13 may fail to tidy up after any sync view that is cut off while it waits
for a coroutine: its last signal raises, and the garbage collector closes the connection."""
pytestmark = [pytest.mark.slow]
if FORGETS:
    pytestmark.append(
        pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")
    )
EVENTS = [make_event(SaleCreated, seed=number) for number in range(25)]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_hanging_up_anywhere(
    request: pytest.FixtureRequest, kind: str, is_async: bool, alias_of: Callable[[str], str]
) -> None:
    """Deliveries that are cut off anywhere, or fail, lose no event and repeat none."""
    alias_of(kind)  # makes the table
    # Under ASGI each request has a thread, so no connection is kept.
    url = request.getfixturevalue(f"{kind}_server").url()
    add(f"asgi-{kind}", {**database_at(url), "CONN_MAX_AGE": 0, "ATOMIC_REQUESTS": True})
    effects: list[str] = []
    store = DjangoStore(using=f"asgi-{kind}")
    hooks = Webhooks(SECRET, store=store, namespace=f"asgi-{is_async}", max_age=None)

    def handle(event: SaleCreated) -> None:
        if random.random() < 0.3:
            raise RetryLater(1)
        effects.append(event.id)

    async def handle_async(event: SaleCreated) -> None:
        await asyncio.sleep(random.uniform(0.0, 0.01))
        handle(event)

    def handle_sync(event: SaleCreated) -> None:
        time.sleep(random.uniform(0.0, 0.01))
        handle(event)

    hooks.on(SaleCreated)(handle_async if is_async else handle_sync)
    with override_settings(ROOT_URLCONF=(path(PATH, dubhooks.django.view(hooks)),)):
        answers = asyncio.run(_cut_off())
    # Before 5.0, Django does not notice that a client hangs up.
    assert (None in answers) is (django.VERSION >= (5, 0))
    assert sorted(effects) == sorted(event.id for event in EVENTS)


async def _cut_off() -> list[int | None]:
    """Deliver every event, twice at once and cut off, and then until it is done."""
    answers: list[int | None] = []
    for event in EVENTS:
        body, headers = signed_request(event, SECRET)
        answers += await asyncio.gather(*(_delivered(body, headers, True) for _ in range(2)))
    for event in EVENTS:
        body, headers = signed_request(event, SECRET)
        while await _delivered(body, headers, False) != 200:
            pass
    return answers


async def _delivered(body: bytes, headers: dict[str, str], is_cut_off: bool) -> Any:
    """Deliver once; return the status, if there is one."""
    server = asgi_request(body, headers)
    await server.send_input({"type": "http.request", "body": body})
    if is_cut_off:
        await asyncio.sleep(random.uniform(0.0, 0.04))
        await server.send_input({"type": "http.disconnect"})
    try:
        await server.wait(30)
    except RuntimeError as error:
        if not (is_cut_off and FORGETS and "CurrentThreadExecutor already quit" in str(error)):
            raise
    if server.output_queue.empty():
        return None
    return server.output_queue.get_nowait()["status"]
