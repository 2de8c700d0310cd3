"""Calling ASGI applications without a server: requests, the lifespan, an event loop."""

from __future__ import annotations

import asyncio
import logging
import weakref
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from ._exchange import HOST, PORT, SCHEME, Answer, no_answer

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ..asgi import Application, Message
    from ._exchange import Request

__all__ = ["Lifespan", "OwnLoop", "from_asgi"]

logger = logging.getLogger("dubhooks.testing")

ResultT = TypeVar("ResultT")

_PATIENCE = 1.0
"""Seconds for an application to return once it has said that it started or ended."""

_VERSIONS = {"version": "3.0", "spec_version": "2.3"}


async def from_asgi(app: Application, request: Request, state: dict[str, Any]) -> Answer:
    """Return what an ASGI application answers; 500 when it raises before, as from a server.

    Background tasks have ended by then.
    """
    exchange = _Exchange(request.body)
    try:
        await app(_scope(request, state), exchange.receive, exchange.send)
    except Exception:
        # Starlette raises again what it has answered, so that a server logs it.
        logger.exception("the application raised")
    return exchange.answer()


def _scope(request: Request, state: dict[str, Any]) -> dict[str, Any]:
    path, _, query = request.path.partition("?")
    return {
        "type": "http",
        "asgi": dict(_VERSIONS),
        "http_version": "1.1",
        "method": "POST",
        "scheme": SCHEME,
        "path": unquote(path),
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in request.headers.items()
        ],
        "client": ("127.0.0.1", 40_000),
        "server": (HOST, PORT),
        "state": dict(state),
    }


class _Exchange:
    """One request and its response, as ASGI messages."""

    def __init__(self, body: bytes) -> None:
        self._unread: bytes | None = body
        self._ended = asyncio.Event()
        self._answer: Answer | None = None

    async def receive(self) -> Message:
        if self._unread is None:
            await self._ended.wait()  # a client hangs up when it has its answer
            return {"type": "http.disconnect"}
        body, self._unread = self._unread, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in message.get("headers", ())
            ]
            self._answer = Answer(message["status"], headers, b"")
        elif self._answer is not None:
            body = self._answer.body + message.get("body", b"")
            self._answer = self._answer._replace(body=body)
            if not message.get("more_body", False):
                self._ended.set()

    def answer(self) -> Answer:
        if self._answer is None:
            logger.error("the application gave no answer, so the delivery is answered with 500")
            return no_answer()
        return self._answer


class Lifespan:
    """Start-up and shutdown of an ASGI application, for those that have them."""

    _asked: asyncio.Queue[Message]
    _told: asyncio.Queue[str]
    _error: Exception | None

    def __init__(self, app: Application) -> None:
        self._app = app
        self._task: asyncio.Future[None] | None = None
        self.state: dict[str, Any] = {}
        """What the application keeps for its requests."""

    @property
    def is_running(self) -> bool:
        """Tell whether there is something to stop."""
        return self._task is not None

    async def start(self) -> None:
        """Run the start-up, and raise what it raises."""
        # Here, because queues belong to the event loop that first waits for them.
        self._asked, self._told = asyncio.Queue(), asyncio.Queue()
        self._error, self.state = None, {}
        task = asyncio.ensure_future(self._run())
        told = await self._ask("startup")
        if told == "lifespan.startup.complete":
            self._task = task
        elif told != "ended":
            await self._ended(task, "startup", told)
        # One that has ended knows no lifespan, which servers take as well.

    async def stop(self) -> None:
        """Run the shutdown, and raise what it raises."""
        task, self._task = self._task, None
        if task is not None:
            await self._ended(task, "shutdown", await self._ask("shutdown"))

    async def _ask(self, phase: str) -> str:
        self._asked.put_nowait({"type": f"lifespan.{phase}"})
        return await self._told.get()

    async def _ended(self, task: asyncio.Future[None], phase: str, told: str) -> None:
        # Its last message is sent, but what it raises comes after it.
        await asyncio.wait([task], timeout=_PATIENCE)
        task.cancel()
        if self._error is not None:
            raise self._error
        if told == f"lifespan.{phase}.failed":
            raise RuntimeError(f"the application says that its {phase} failed")

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": dict(_VERSIONS), "state": self.state}
        try:
            await self._app(scope, self._asked.get, self._tell)
        except Exception as error:  # noqa: BLE001 - _ended() raises it
            self._error = error
        finally:
            self._told.put_nowait("ended")

    async def _tell(self, message: Message) -> None:
        self._told.put_nowait(message["type"])


class OwnLoop:
    """One event loop for all requests of a client, because an application keeps connections on it.

    It is closed when nobody has it any more, if it was not closed before.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run ``work`` to its end."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            weakref.finalize(self, self._loop.close)
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        """Cancel what still runs and close the loop."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        try:
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(_ended(tasks))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
