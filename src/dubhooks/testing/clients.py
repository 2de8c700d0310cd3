"""Clients that deliver events to an application as Dub does: signed, in this process.

One client for each way to call an application: :class:`WSGIClient` (Flask and
all other WSGI) is built on the test client of werkzeug, :class:`ASGIClient`
(FastAPI, Starlette and all other ASGI) on the ASGI transport of httpx, and
:class:`DjangoClient` on the test clients of Django.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from .._headers import list_pairs
from ..errors import ConfigurationError
from ..events._base import Event
from ..idempotency._drivers import is_on_event_loop
from ._delivered import Delivered, change_byte, find_fault, read_object, read_reply
from .events import signed_request

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from .._headers import Headers
    from ..asgi import Application as ASGIApplication
    from ..signature import Secret

__all__ = ["ASGIClient", "ClientFactory", "Delivered", "DjangoClient", "SignedClient", "WSGIClient"]

_logger = logging.getLogger("dubhooks.testing")

PATH = "/webhooks/dub"
_SERVER = "https://testserver"
"""Dub delivers to https addresses, and an application may redirect anything else."""
_ARGUMENTS = {"WSGI": ("environ", "start_response"), "ASGI": ("scope", "receive", "send")}


class SignedClient(ABC):
    """Delivers events to an application and remembers what was answered.

    What a handler raises is logged and answered with 500, as a server does.
    Each way to deliver has a twin for async tests, whose name begins with ``a``.
    """

    def __init__(self, secret: Secret, path: str) -> None:
        self._secret = secret
        self._path = "/" + path.removeprefix("/")
        self.deliveries: list[Delivered] = []
        """What was answered to every delivery of this client, the newest last."""

    def deliver(self, event: Event | bytes, *, headers: Headers | None = None) -> Delivered:
        """Deliver an event, or a body of any bytes, with a right signature.

        ``headers`` come on top of those that Dub sends, or in their place.

        Raises:
            ConfigurationError: it is neither an event nor bytes, the secret is no
                secret, headers are not headers, or an ASGI application is called
                on an event loop.
        """
        return self._send(*self._sign(event, headers))

    async def adeliver(self, event: Event | bytes, *, headers: Headers | None = None) -> Delivered:
        """Do what :meth:`deliver` does, on the running event loop of asyncio."""
        return await self._asend(*self._sign(event, headers))

    def deliver_twice(self, event: Event | bytes) -> tuple[Delivered, Delivered]:
        """Deliver the same thing twice: Dub's queue may, and a retry after a lost answer does."""
        return self.deliver(event), self.deliver(event)

    async def adeliver_twice(self, event: Event | bytes) -> tuple[Delivered, Delivered]:
        """Do what :meth:`deliver_twice` does, on the running event loop of asyncio."""
        return await self.adeliver(event), await self.adeliver(event)

    def tamper(self, event: Event | bytes) -> Delivered:
        """Deliver a body of which one byte was changed after it was signed.

        It stays an event that parses: a digit of its time differs.
        """
        return self._send(*self._tamper(event))

    async def atamper(self, event: Event | bytes) -> Delivered:
        """Do what :meth:`tamper` does, on the running event loop of asyncio."""
        return await self._asend(*self._tamper(event))

    def without_signature(self, event: Event | bytes) -> Delivered:
        """Deliver without a signature."""
        return self._send(*self._strip(event))

    async def awithout_signature(self, event: Event | bytes) -> Delivered:
        """Do what :meth:`without_signature` does, on the running event loop of asyncio."""
        return await self._asend(*self._strip(event))

    def assert_handled_once(self, event: Event) -> None:
        """Fail unless exactly one delivery of ``event`` by this client was handled.

        Others may have been duplicates, refused or failed.  When a route's
        handler answers itself, deliver twice: only the second answer, a
        duplicate, says that the first one came from its receiver.
        """
        __tracebackhide__ = True
        fault = find_fault([one for one in self.deliveries if one.event_id == event.id], self._path)
        if fault:
            raise AssertionError(f"{event.id} {fault}")

    @abstractmethod
    def _send(self, body: bytes, headers: dict[str, str]) -> Delivered:
        """Send a request and note the answer."""

    async def _asend(self, body: bytes, headers: dict[str, str]) -> Delivered:
        # In a thread, where async views of Flask can start an event loop.
        return await asyncio.to_thread(self._send, body, headers)

    def _note(self, sent: bytes, status: int, headers: Any, body: bytes) -> Delivered:
        named = {name.lower(): value for name, value in headers}
        given = read_object(sent).get("id")
        event_id = given if isinstance(given, str) else None
        self.deliveries.append(Delivered(status, named, body, *read_reply(body), event_id))
        return self.deliveries[-1]

    def _sign(
        self, event: Event | bytes, given: Headers | None = None
    ) -> tuple[bytes, dict[str, str]]:
        body, own = signed_request(event, self._secret)
        pairs = list_pairs({**own}) + list_pairs(given or {})
        if any(max(text, default="") > "\xff" for pair in pairs for text in pair):
            raise ConfigurationError("names and values of headers must be text in Latin-1")
        return body, dict(pairs)

    def _tamper(self, event: Event | bytes) -> tuple[bytes, dict[str, str]]:
        body, headers = self._sign(event)
        return change_byte(body), headers

    def _strip(self, event: Event | bytes) -> tuple[bytes, dict[str, str]]:
        body, headers = self._sign(event)
        return body, {"content-type": headers["content-type"]}


class WSGIClient(SignedClient):
    """Delivers to a WSGI application: a Flask app, or ``dubhooks.wsgi.app(hooks)``."""

    def __init__(self, app: WSGIApplication, secret: Secret, path: str = PATH) -> None:
        """``path``: where the receiver is mounted.

        Raises:
            ConfigurationError: it is no WSGI application.
            ModuleNotFoundError: werkzeug is not installed.
        """
        super().__init__(secret, path)
        _check_application(app, "WSGI")
        from werkzeug.test import Client

        self._client = Client(app, use_cookies=False)

    def _send(self, body: bytes, headers: dict[str, str]) -> Delivered:
        given: dict[str, Any] = {"base_url": _SERVER, "headers": headers, "data": body}
        try:
            response = self._client.post(self._path, buffered=True, **given)
        except Exception:
            # Flask lets exceptions out in its test mode.
            _logger.exception("the application raised, so the delivery is answered with 500")
            return self._note(body, 500, (), b"")
        return self._note(body, response.status_code, response.headers, response.data)


class ASGIClient(SignedClient):
    """Delivers to an ASGI application: FastAPI, Starlette, or ``dubhooks.asgi.app(hooks)``.

    Sync tests call :meth:`deliver`; all of its requests share an event loop.
    Async tests await :meth:`adeliver`, which runs the application on theirs.
    Neither runs the application's start-up and shutdown (the lifespan).
    """

    def __init__(self, app: ASGIApplication, secret: Secret, path: str = PATH) -> None:
        """``path``: where the receiver is mounted.

        Raises:
            ConfigurationError: it is no ASGI application.
            ModuleNotFoundError: httpx is not installed.
        """
        super().__init__(secret, path)
        _check_application(app, "ASGI")
        self._app = app
        self._httpx: Any = import_module("httpx2" if find_spec("httpx2") else "httpx")

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        # One for all requests, because an application keeps connections on it.
        loop = asyncio.new_event_loop()
        weakref.finalize(self, loop.close)
        return loop

    def _send(self, body: bytes, headers: dict[str, str]) -> Delivered:
        if is_on_event_loop():
            raise ConfigurationError(
                "an event loop is running here: await client.adeliver(event) instead of "
                "client.deliver(event), and likewise for the other calls"
            )
        return self._loop.run_until_complete(self._asend(body, headers))

    async def _asend(self, body: bytes, headers: dict[str, str]) -> Delivered:
        pairs = [(name.encode("latin-1"), headers[name].encode("latin-1")) for name in headers]
        url = _SERVER + self._path
        transport = self._httpx.ASGITransport(self._call_app, raise_app_exceptions=False)
        sent = self._httpx.Request("POST", url, headers=pairs, content=body)
        response = await transport.handle_async_request(sent)
        answer = await response.aread()
        return self._note(body, response.status_code, response.headers.items(), answer)

    async def _call_app(self, *scope_receive_send: Any) -> None:
        try:
            await self._app(*scope_receive_send)
        except Exception:
            # Starlette raises again what it has answered, so that a server logs it.
            _logger.exception("the application raised")
            raise


class DjangoClient(SignedClient):
    """Delivers to the Django project of the settings, middleware and CSRF checks included.

    It is Django's own test client, so views work in the transaction of a ``TestCase``.
    """

    def __init__(self, secret: Secret | None = None, path: str = f"{PATH}/") -> None:
        """Make a client for a project that is set up.

        Args:
            secret: by default the ``WEBHOOK_SECRET`` of the setting ``DUBHOOKS``.
            path: where the receiver is mounted.

        Raises:
            ModuleNotFoundError: Django is not installed.
        """
        from django.test import AsyncClient, Client

        if secret is None:
            from ..django._settings import WEBHOOK_SECRET, secret_of

            secret = secret_of(WEBHOOK_SECRET)
        super().__init__(cast("Secret", secret), path)
        options: dict[str, Any] = {"enforce_csrf_checks": True, "raise_request_exception": False}
        self._client, self._async_client = Client(**options), AsyncClient(**options)

    def _send(self, body: bytes, headers: dict[str, str]) -> Delivered:
        return self._read(body, self._post(self._client, body, headers))

    async def _asend(self, body: bytes, headers: dict[str, str]) -> Delivered:
        return self._read(body, await self._post(self._async_client, body, headers))

    def _post(self, client: Any, body: bytes, headers: dict[str, str]) -> Any:
        kind = headers.pop("content-type")
        return client.generic("POST", self._path, body, kind, secure=True, headers=headers)

    def _read(self, body: bytes, response: Any) -> Delivered:
        return self._note(body, response.status_code, response.items(), response.getvalue())


ClientFactory = Callable[..., SignedClient]
"""The type of the pytest fixture ``dub_client``."""


def is_called_as(app: Any, kind: str) -> bool:
    """Tell whether an application can be called as ``WSGI`` or ``ASGI`` does."""
    try:
        inspect.signature(app).bind(*_ARGUMENTS[kind])
    except (TypeError, ValueError):
        return False
    return True


def _check_application(app: object, kind: str) -> None:
    if not is_called_as(app, kind):
        raise ConfigurationError(
            f"no {kind} application: {type(app).__name__} is not called with "
            f"({', '.join(_ARGUMENTS[kind])}); pass the app itself, one of the other kind to its "
            f"own client, and a receiver as dubhooks.{kind.lower()}.app(hooks)"
        )
