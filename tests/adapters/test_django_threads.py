"""Where Django's views run: the thread that Django gave the request, and the server's loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_finished
from django.db import connections
from django.db.backends.signals import connection_created
from django.test import override_settings
from django.urls import path

from dubhooks import Claim, MemoryStore, SQLiteStore, Webhooks
from dubhooks.django import DjangoStore
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.clients import AsgiClient
from tests.support.adapters.django_mounts import mount_handler, mount_taking
from tests.support.adapters.django_setup import PATH, DjangoClient, Group
from tests.support.adapters.situations import SALE_REQUEST, SECRET, signed
from tests.support.receiving import AsyncMemoryStore

BOTH = pytest.mark.parametrize("asgi", [False, True], ids=["wsgi", "asgi"])
HANDLERS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
MOUNTS = pytest.mark.parametrize("mount", ["view", "webhook"])


class Async(AsyncMemoryStore):
    """A store with coroutines that notes the event loop it was used on."""

    def __init__(self) -> None:
        super().__init__()
        self.loops: set[asyncio.AbstractEventLoop] = set()

    async def claim(self, key: str, token: str, **arguments: Any) -> Claim:
        """Claim."""
        self.loops.add(asyncio.get_running_loop())
        return await super().claim(key, token, **arguments)


STORES: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "memory": MemoryStore,
    "django": DjangoStore,
    "async": Async,
}


@HANDLERS
@MOUNTS
@BOTH
def test_the_store_works_in_the_thread_that_django_cleans_up(
    mount: str, is_async: bool, asgi: bool
) -> None:
    """Claims and sync handlers run where Django closes database connections after the request."""
    threads: dict[str, set[int]] = {"claim": set(), "handler": set(), "finished": set()}

    def note(what: str) -> None:
        threads[what].add(threading.get_ident())

    class Noting(DjangoStore):
        def claim(self, *args: Any, **kwargs: Any) -> Claim:
            note("claim")
            return super().claim(*args, **kwargs)

    def finished(**_: Any) -> None:
        note("finished")

    view = mount_handler(
        Webhooks(SECRET, store=Noting()), mount, lambda: note("handler"), is_async=is_async
    )
    request_finished.connect(finished)
    try:
        body, headers = signed_request(make_event(SaleCreated), SECRET)
        client = DjangoClient(path(PATH, view), asgi=asgi)
        assert client.post(body, list(headers.items())).status == 200
    finally:
        request_finished.disconnect(finished)
    assert threads["claim"] == threads["finished"]
    assert is_async or threads["handler"] == threads["finished"]
    assert len(threads["handler"]) == 1


@pytest.mark.parametrize("kind", [*STORES, "sqlite"])
@MOUNTS
def test_async_handlers_run_on_the_loop_of_the_server(mount: str, kind: str, tmp_path: Any) -> None:
    """Under ASGI an async handler may use what belongs to the server's event loop."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    store = SQLiteStore(tmp_path / "claims.db") if kind == "sqlite" else STORES[kind]()
    view = mount_handler(Webhooks(SECRET, store=store), mount, note, is_async=True)
    body, headers = signed_request(make_event(SaleCreated), SECRET)
    client = DjangoClient(path(PATH, view), asgi=True)
    client.around = note
    assert client.post(body, list(headers.items())).status == 200
    if kind == "sqlite":
        store.close()
    server, handler = loops
    assert handler is server


@HANDLERS
@MOUNTS
def test_an_async_store_under_wsgi_is_refused(
    mount: str, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Under WSGI no event loop lasts, so a store that needs one is refused by name."""
    ran: list[None] = []
    hooks = Webhooks(SECRET, store=Async())
    view = mount_handler(hooks, mount, lambda: ran.append(None), is_async=is_async)
    assert SALE_REQUEST.send(DjangoClient(path(PATH, view))).status == 500
    assert "Async needs an event loop" in caplog.text
    assert not ran


@BOTH
@HANDLERS
@MOUNTS
def test_a_claim_is_renewed_while_its_handler_runs(mount: str, is_async: bool, asgi: bool) -> None:
    """A handler longer than the lease runs once; the connection of the renewals is closed."""
    opened: dict[str, list[Any]] = {}
    ran: list[int] = []
    statuses: list[int] = []
    body = make_event(SaleCreated).to_json()

    def note(connection: Any, **_: Any) -> None:
        opened.setdefault(threading.current_thread().name, []).append(connection)

    def work() -> None:
        ran.append(1)
        deadline = monotonic() + 30
        while len(renewals := opened.get("dubhooks renewals", [])) < 5:
            assert monotonic() < deadline, renewals
            sleep(0.01)
        again = threads.submit(DjangoClient(path(PATH, view)).post, body, signed(body))
        statuses.append(again.result(30).status)

    view = mount_handler(
        Webhooks(SECRET, store=DjangoStore(), lease=0.3), mount, work, is_async=is_async
    )
    connection_created.connect(note)
    try:
        client = DjangoClient(path(PATH, view), asgi=asgi)
        with ThreadPoolExecutor(1) as threads:
            assert client.post(body, signed(body)).status == 200
    finally:
        connection_created.disconnect(note)
        connections.close_all()
    assert (ran, statuses) == ([1], [409])
    assert {each.connection for each in opened["dubhooks renewals"]} == {None}


@pytest.mark.parametrize("kind", STORES)
@MOUNTS
def test_a_plain_decorator_around_a_coroutine_function(mount: str, kind: str) -> None:
    """What a sync handler returns is awaited on the server's loop, and may use the database."""
    store = STORES[kind]()
    hooks = Webhooks(SECRET, store=store)
    loops: list[asyncio.AbstractEventLoop] = []

    async def count(*_: Any) -> None:
        loops.append(asyncio.get_running_loop())
        assert await Group.objects.acount() == 0

    def decorated(*arguments: Any) -> Any:
        return count(*arguments)

    view = mount_taking(hooks, mount, decorated)

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    client = DjangoClient(path(PATH, view), asgi=True)
    client.around = note
    event = make_event(SaleCreated)
    assert client.post(event.to_json(), signed(event.to_json())).status == 200
    assert len(set(loops)) == 1
    assert len(loops) == 2
    if kind != "async":  # under WSGI there is a loop for the handler only
        other = make_event(SaleCreated).to_json()
        assert DjangoClient(path(PATH, view)).post(other, signed(other)).status == 200
    connections.close_all()


@pytest.mark.parametrize("kind", STORES)
@HANDLERS
@MOUNTS
@BOTH
def test_stop_iteration_is_a_failure(mount: str, is_async: bool, asgi: bool, kind: str) -> None:
    """A handler that raises StopIteration is answered at once, like every one that fails."""
    hooks = Webhooks(SECRET, store=STORES[kind]())
    view = mount_handler(hooks, mount, lambda: next(iter(())), is_async=is_async)
    body = make_event(SaleCreated).to_json()
    assert DjangoClient(path(PATH, view), asgi=asgi).post(body, signed(body)).status == 500


@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("handler", ["sync", "async", "decorated"])
@MOUNTS
def test_many_deliveries_at_once(mount: str, handler: str, kind: str) -> None:
    """Deliveries to one server never wait for each other for ever, whatever the handler is."""
    ran: list[None] = []
    hooks = Webhooks(SECRET, store=STORES[kind]())

    def take(*_: Any) -> None:
        ran.append(None)

    async def take_async(*_: Any) -> None:
        await asyncio.sleep(0.01)
        assert await Group.objects.acount() == 0
        ran.append(None)

    handlers: dict[str, Any] = {
        "sync": take,
        "async": take_async,
        "decorated": lambda *_: take_async(),
    }
    view = mount_taking(hooks, mount, handlers[handler])

    async def scenario() -> list[int]:
        client = AsgiClient(ASGIHandler(), f"/{PATH}")
        bodies = [make_event(SaleCreated).to_json() for _ in range(12)]
        deliveries = [client.send(body, signed(body)) for body in bodies]
        responses = await asyncio.wait_for(asyncio.gather(*deliveries), 60)
        return [response.status for response in responses]

    with override_settings(ROOT_URLCONF=(path(PATH, view),)):
        assert asyncio.run(scenario()) == [200] * 12
    assert len(ran) == 12
