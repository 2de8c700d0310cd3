"""The signed client of ASGI applications: event loops, start-up and shutdown, bad applications."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import dubhooks
from dubhooks import ConfigurationError
from dubhooks.testing import ASGIClient, make_event
from dubhooks.webhooks import LeadCreated, SaleCreated
from tests.support.receiving import SECRET
from tests.support.shops import PATH, SALE, Shop


def client_of(app: Any, path: str = PATH) -> ASGIClient:
    """Return a client for an application of any shape."""
    return ASGIClient(app, SECRET, path)


async def answer(send: Any, status: int = 200) -> None:
    """Answer in two pieces."""
    await send({"type": "http.response.start", "status": status, "headers": [(b"X-A", b"\xe9")]})
    await send({"type": "http.response.body", "body": b"one ", "more_body": True})
    await send({"type": "http.response.body", "body": b"two"})


class TestRequests:
    """One request."""

    def test_scope(self) -> None:
        """The scope is what a server makes of the URL and the headers."""
        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.extend([scope, await receive()])
            await answer(send)
            seen.append(await receive())

        client = client_of(app, "/w%C3%A9b/dub?tenant=%C3%A9")
        delivered = client.deliver(SALE, headers={"HOST": "shop.example"})
        client.close()
        assert (delivered.status, delivered.body) == (200, b"one two")
        assert delivered.headers == {"x-a": "é"}
        scope, request, end = seen
        assert (scope["path"], scope["raw_path"]) == ("/wéb/dub", b"/w%C3%A9b/dub")
        assert scope["query_string"] == b"tenant=%C3%A9"
        headers = dict(scope["headers"])
        assert headers[b"host"] == b"shop.example"
        assert headers[b"content-length"] == str(len(SALE.to_json())).encode()
        assert request == {"type": "http.request", "body": SALE.to_json(), "more_body": False}
        assert end == {"type": "http.disconnect"}

    def test_hangs_up_after_the_answer(self) -> None:
        """Who waits for the client to hang up waits until it has its answer."""

        async def app(_: Any, receive: Any, send: Any) -> None:
            await receive()
            waiting = asyncio.create_task(receive())
            await asyncio.sleep(0)
            assert not waiting.done()
            await answer(send, 202)
            assert (await waiting)["type"] == "http.disconnect"

        assert client_of(app).deliver(SALE).status == 202

    def test_raises_before_and_after_its_answer(self, caplog: pytest.LogCaptureFixture) -> None:
        """Before, the answer is a 500; after, it is the answer."""

        async def before(*_: Any) -> None:
            raise ZeroDivisionError

        async def after(_: Any, __: Any, send: Any) -> None:
            await answer(send, 418)
            raise ZeroDivisionError

        assert [client_of(app).deliver(SALE).status for app in (before, after)] == [500, 418]
        raised = [one.exc_info[0] for one in caplog.records if one.exc_info]
        assert raised == [ZeroDivisionError] * 2

    def test_no_answer(self, caplog: pytest.LogCaptureFixture) -> None:
        """An application that ends without an answer is answered for."""

        async def app(_: Any, __: Any, send: Any) -> None:
            await send({"type": "http.response.body", "body": b"no start"})

        assert client_of(app).deliver(SALE).status == 500
        assert "the application gave no answer" in caplog.text


class TestEventLoops:
    """Where an application runs."""

    def test_sync_deliveries_share_one_loop(self) -> None:
        """What an application keeps on its event loop works for the next delivery too."""
        loops: list[Any] = []

        async def app(_: Any, __: Any, send: Any) -> None:
            loops.append(asyncio.get_running_loop())
            await answer(send)

        client = client_of(app)
        client.deliver_twice(SALE)
        assert loops[0] is loops[1]
        client.close()
        assert loops[0].is_closed()
        client.deliver(SALE)
        assert loops[2] is not loops[0]
        client.close()

    def test_async_deliveries_are_on_the_loop_of_the_test(self) -> None:
        """An async test awaits, and the application runs beside it."""
        shop, other = Shop(), make_event(SaleCreated)
        loops: list[Any] = []

        @shop.hooks.on(LeadCreated)
        async def lead(_: Any) -> None:
            loops.append(asyncio.get_running_loop())

        client = client_of(dubhooks.asgi.app(shop.hooks))

        async def test() -> None:
            assert (await client.adeliver(make_event(LeadCreated))).outcome == "handled"
            assert loops == [asyncio.get_running_loop()]
            first, second = await asyncio.gather(client.adeliver(SALE), client.adeliver(other))
            assert (first.event_id, second.event_id) == (SALE.id, other.id)
            refused = await client.adeliver(SALE, headers={"Dub-Signature": "0" * 64})
            assert refused.code == "signature_mismatch"

        asyncio.run(test())
        client.assert_handled_once(SALE)
        assert len(client.deliveries) == 4

    @pytest.mark.parametrize(
        ("use", "instead"),
        [
            (lambda client: client.deliver(SALE), r"await client\.adeliver\(event\)"),
            (lambda client: client.deliver_twice(SALE), r"await client\.adeliver\(event\)"),
            (lambda client: client.__enter__(), "async with"),
        ],
    )
    def test_sync_calls_on_a_loop(self, use: Callable[[Any], object], instead: str) -> None:
        """In an async test the error says what to await."""
        client = client_of(dubhooks.asgi.app(Shop().hooks))

        async def test() -> None:
            with pytest.raises(ConfigurationError, match=instead):
                use(client)

        asyncio.run(test())

    def test_forgotten_clients_close_their_loop(self) -> None:
        """A client that nobody closes leaves no open event loop behind."""
        loops: list[Any] = []

        async def app(_: Any, __: Any, send: Any) -> None:
            loops.append(asyncio.get_running_loop())
            await answer(send)

        client_of(app).deliver(SALE)
        gc.collect()
        assert loops[0].is_closed()

    def test_close_cancels_what_still_runs(self) -> None:
        """A task that an application left running is cancelled, not destroyed."""
        ended: list[str] = []

        async def background() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")

        tasks: list[Any] = []

        async def app(_: Any, __: Any, send: Any) -> None:
            tasks.append(asyncio.create_task(background()))
            await asyncio.sleep(0)
            await answer(send)

        client = client_of(app)
        client.deliver(SALE)
        assert ended == []
        client.close()
        assert ended == ["cancelled"]
        assert tasks[0].cancelled()


class App:
    """An application with a lifespan that notes what happens."""

    def __init__(self, *, startup: str = "complete", shutdown: str = "complete") -> None:
        self.notes: list[Any] = []
        self._says = {"lifespan.startup": startup, "lifespan.shutdown": shutdown}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve."""
        if scope["type"] == "http":
            self.notes.append(scope["state"])
            await answer(send)
            return
        scope["state"]["pool"] = "a pool"
        while True:
            message = await receive()
            self.notes.append(message["type"])
            said = self._says[message["type"]]
            if said == "raise":
                raise ZeroDivisionError
            await send({"type": f"{message['type']}.{said.split()[0]}", "message": ""})
            if said == "failed and raise":
                raise ZeroDivisionError
            if message["type"] == "lifespan.shutdown" and said != "complete and go on":
                return


class TestLifespan:
    """Start-up and shutdown."""

    EXPECTED: list[Any] = ["lifespan.startup", {"pool": "a pool"}, "lifespan.shutdown"]  # noqa: RUF012

    def test_with(self) -> None:
        """``with`` runs both, and requests see the state."""
        app = App()
        with client_of(app) as client:
            client.deliver(SALE)
        assert app.notes == self.EXPECTED

    def test_async_with(self) -> None:
        """``async with`` does so on the loop of the test."""
        app = App()

        async def test() -> None:
            async with client_of(app) as client:
                await client.adeliver(SALE)

        asyncio.run(test())
        assert app.notes == self.EXPECTED

    def test_without(self) -> None:
        """Without ``with`` neither runs."""
        app = App()
        client = client_of(app)
        client.deliver(SALE)
        client.close()
        assert app.notes == [{}]

    def test_fastapi(self) -> None:
        """The lifespan of a FastAPI app gives its handlers what they need."""
        fastapi = pytest.importorskip("fastapi")
        notes: list[str] = []

        @asynccontextmanager
        async def lifespan(_: Any) -> AsyncGenerator[dict[str, str], None]:
            notes.append("open")
            yield {"pool": "a pool"}
            notes.append("close")

        app = fastapi.FastAPI(lifespan=lifespan)
        hooks = dubhooks.Webhooks(SECRET)

        async def sale(event: dubhooks.webhooks.SaleCreated, request: Any) -> None:
            notes.append(f"{event.data.sale.currency} in {request.state.pool}")

        sale.__annotations__["request"] = fastapi.Request
        app.post(PATH)(dubhooks.fastapi.webhook(hooks, dubhooks.webhooks.SaleCreated)(sale))
        with client_of(app) as client:
            assert client.deliver(SALE).outcome == "handled"
        assert notes == ["open", "usd in a pool", "close"]

    @pytest.mark.parametrize("startup", ["failed and raise", "failed"])
    def test_start_up_fails(self, startup: str) -> None:
        """What the start-up raises, or that it failed, reaches the test."""
        client = client_of(App(startup=startup))
        expected = ZeroDivisionError if startup.endswith("raise") else RuntimeError
        with pytest.raises(expected), client:
            pytest.fail("the block must not run")
        client.close()

    @pytest.mark.parametrize(
        ("shutdown", "error"),
        [
            ("raise", ZeroDivisionError),
            ("failed and raise", ZeroDivisionError),
            ("failed", RuntimeError),
        ],
    )
    def test_shutdown_fails(self, shutdown: str, error: type[Exception]) -> None:
        """What the shutdown raises reaches the test, and the loop is closed all the same."""
        app = App(shutdown=shutdown)
        client = client_of(app)
        with pytest.raises(error), client:
            client.deliver(SALE)
        assert app.notes == self.EXPECTED
        client.close()

    def test_again(self) -> None:
        """A client can be started again, and on another event loop."""
        app = App()
        client = client_of(app)

        async def test() -> None:
            async with client:
                await client.adeliver(SALE)

        with client:
            client.deliver(SALE)
        asyncio.run(test())
        assert app.notes == self.EXPECTED * 2

    def test_application_that_never_returns(self) -> None:
        """An application that waits for more after its shutdown is not waited for."""
        app = App(shutdown="complete and go on")
        with client_of(app):
            pass
        assert app.notes == ["lifespan.startup", "lifespan.shutdown"]

    def test_application_without_one(self) -> None:
        """An application that knows no lifespan is used as it is, as servers do."""

        async def app(scope: Any, _: Any, send: Any) -> None:
            if scope["type"] != "http":
                raise ValueError(scope["type"])
            await answer(send)

        async def test() -> None:
            async with client_of(app) as client:
                assert (await client.adeliver(SALE)).status == 200

        with client_of(app) as client:
            assert client.deliver(SALE).status == 200
        asyncio.run(test())
