"""Clients that deliver events to an application as Dub does: signed, in this process.

One client for each way to call an application: :class:`WSGIClient` (Flask and
all other WSGI), :class:`ASGIClient` (FastAPI, Starlette and all other ASGI)
and :class:`DjangoClient`.  None of them needs a server or an HTTP library.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, overload

from .._headers import list_pairs
from ..errors import ConfigurationError
from ..events._base import Event
from ..idempotency._drivers import is_on_event_loop
from ..signature import Keyring
from ._applications import django_handler, is_django, kind_of, unusable
from ._asgi import Lifespan, OwnLoop, from_asgi
from ._delivered import Delivered, delivered, event_id_of, fault_in, tampered
from ._exchange import HOST, Answer, Request, from_django, from_wsgi
from .events import signed_request

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TypeAlias
    from wsgiref.types import WSGIApplication

    from typing_extensions import Self

    from .._headers import Headers
    from ..asgi import Application as ASGIApplication
    from ..signature import Secret

    AnyApplication: TypeAlias = WSGIApplication | ASGIApplication

__all__ = [
    "ASGIClient",
    "ClientFactory",
    "Delivered",
    "DjangoClient",
    "SignedClient",
    "WSGIClient",
]

DEFAULT_PATH = "/webhooks/dub"


class SignedClient(ABC):
    """Delivers events to an application and remembers what was answered.

    What a handler raises is logged and answered with 500, as a server does.
    A client is a context manager: that runs the start-up and shutdown of an
    ASGI application, and does nothing for others.
    """

    def __init__(self, secret: Secret, path: str) -> None:
        if not isinstance(path, str) or not path.startswith("/") or not path.isascii():
            raise ConfigurationError(
                'path must be the part of a URL that begins with a slash, as "/webhooks/dub" does'
            )
        Keyring(secret).keys()
        self._secret = secret
        self._path = path
        self.deliveries: list[Delivered] = []
        """What was answered to every delivery of this client, the newest last."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 - most clients hold nothing
        """Let go of what the client holds; without it, that happens when it is forgotten."""

    def deliver(self, event: Event | bytes, *, headers: Headers | None = None) -> Delivered:
        """Deliver an event, or a body of any bytes, with a right signature.

        ``headers`` come on top of those that Dub sends, or in their place.

        Raises:
            ConfigurationError: it is neither an event nor bytes, headers are not
                headers, or an ASGI application is called on an event loop.
        """
        body, own = signed_request(event, self._secret)
        return self._sent(self._request(body, own, headers))

    def deliver_twice(self, event: Event | bytes) -> tuple[Delivered, Delivered]:
        """Deliver the same thing twice: Dub's queue may, and a retry after a lost answer does."""
        return self.deliver(event), self.deliver(event)

    def tamper(self, event: Event | bytes) -> Delivered:
        """Deliver a body of which one byte was changed after it was signed.

        It stays an event that parses: a digit of its time differs.
        """
        body, own = signed_request(event, self._secret)
        return self._sent(self._request(tampered(body), own, None))

    def without_signature(self, event: Event | bytes) -> Delivered:
        """Deliver without a signature."""
        body, own = signed_request(event, self._secret)
        del own["Dub-Signature"]
        return self._sent(self._request(body, own, None))

    def assert_handled_once(self, event: Event) -> None:
        """Fail unless exactly one delivery of ``event`` by this client was handled.

        Others may have been duplicates, refused or failed.  When a route's
        handler answers itself, deliver twice: only the second answer, a
        duplicate, says that the first one came from its receiver.
        """
        __tracebackhide__ = True
        event_id = event_id_of(event)
        fault = fault_in([one for one in self.deliveries if one.event_id == event_id], self._path)
        if fault:
            raise AssertionError(f"{event_id} {fault}")

    @abstractmethod
    def _answered(self, request: Request) -> Answer:
        """Send a request and return the answer."""

    def _request(self, body: bytes, own: dict[str, str], given: Headers | None) -> Request:
        pairs = list_pairs({"Host": HOST, "Content-Length": str(len(body)), **own})
        pairs += list_pairs(given or {})
        if any(max(text, default="") > "\xff" for pair in pairs for text in pair):
            raise ConfigurationError("names and values of headers must be text in Latin-1")
        return Request(self._path, dict(pairs), body)

    def _sent(self, request: Request) -> Delivered:
        return self._noted(request, self._answered(request))

    def _noted(self, request: Request, answer: Answer) -> Delivered:
        seen = delivered(request, answer)
        self.deliveries.append(seen)
        return seen


class WSGIClient(SignedClient):
    """Delivers to a WSGI application: a Flask app, or ``dubhooks.wsgi.app(hooks)``."""

    def __init__(self, app: WSGIApplication, secret: Secret, path: str = DEFAULT_PATH) -> None:
        """``path``: where the receiver is mounted.

        Raises:
            ConfigurationError: an argument cannot work.
        """
        super().__init__(secret, path)
        if not callable(app) or kind_of(app) == "asgi":
            raise ConfigurationError(f"no WSGI application: {unusable(app)}")
        self._app = app

    def _answered(self, request: Request) -> Answer:
        return from_wsgi(self._app, request)


class ASGIClient(SignedClient):
    """Delivers to an ASGI application: FastAPI, Starlette, or ``dubhooks.asgi.app(hooks)``.

    Sync tests call :meth:`deliver`; all of its requests share an event loop.
    Async tests await :meth:`adeliver`, which runs the application on theirs.
    ``with`` or ``async with`` runs start-up and shutdown (the lifespan).
    """

    def __init__(self, app: ASGIApplication, secret: Secret, path: str = DEFAULT_PATH) -> None:
        """``path``: where the receiver is mounted.

        Raises:
            ConfigurationError: an argument cannot work.
        """
        super().__init__(secret, path)
        if not callable(app) or kind_of(app) == "wsgi":
            raise ConfigurationError(f"no ASGI application: {unusable(app)}")
        self._app = app
        self._lifespan = Lifespan(app)
        self._loop = OwnLoop()

    def __enter__(self) -> Self:
        _not_on_event_loop("async with")
        self._loop.run(self._lifespan.start())
        return self

    async def __aenter__(self) -> Self:
        await self._lifespan.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        await self._lifespan.stop()

    async def adeliver(self, event: Event | bytes, *, headers: Headers | None = None) -> Delivered:
        """Do what :meth:`deliver` does, on the running event loop of asyncio."""
        body, own = signed_request(event, self._secret)
        request = self._request(body, own, headers)
        return self._noted(request, await self._called(request))

    def close(self) -> None:
        """Run the shutdown, if there was a start-up, and close the event loop."""
        try:
            if self._lifespan.is_running:
                self._loop.run(self._lifespan.stop())
        finally:
            self._loop.close()

    def _answered(self, request: Request) -> Answer:
        _not_on_event_loop("await client.adeliver(event)")
        return self._loop.run(self._called(request))

    async def _called(self, request: Request) -> Answer:
        return await from_asgi(self._app, request, self._lifespan.state)


class DjangoClient(SignedClient):
    """Delivers to the Django project of the settings, middleware and CSRF checks included.

    It calls Django as Django's own test client does, in the thread of the test,
    so views work in the transaction of a ``TestCase``.
    """

    def __init__(self, secret: Secret, path: str = f"{DEFAULT_PATH}/") -> None:
        """``path``: where the receiver is mounted.

        Raises:
            ConfigurationError: an argument cannot work.
            ImproperlyConfigured: Django has no settings.
        """
        super().__init__(secret, path)
        self._handler = django_handler()

    def _answered(self, request: Request) -> Answer:
        return from_django(self._handler, request)


class ClientFactory(Protocol):
    """The type of the pytest fixture ``dub_client``."""

    @overload
    def __call__(
        self, app: ASGIApplication, /, *, path: str | None = ..., secret: Secret | None = ...
    ) -> ASGIClient: ...
    @overload
    def __call__(
        self,
        app: WSGIApplication | None = ...,
        /,
        *,
        path: str | None = ...,
        secret: Secret | None = ...,
    ) -> SignedClient: ...
    def __call__(
        self, app: Any = None, /, *, path: str | None = None, secret: Secret | None = None
    ) -> SignedClient:
        """Return a client for an application, or for Django when there is none."""
        ...


def client_for(app: AnyApplication | None, secret: Secret, path: str | None) -> SignedClient:
    """Return the client for an application; ``None`` stands for the Django project.

    Raises:
        ConfigurationError: it cannot be told what ``app`` is.
    """
    at = {} if path is None else {"path": path}
    if app is None or is_django(app):
        return DjangoClient(secret, **at)
    kind = kind_of(app)
    client: Any = {"wsgi": WSGIClient, "asgi": ASGIClient}.get(kind or "")
    if client is None:
        raise ConfigurationError(f"no WSGI or ASGI application: {unusable(app)}")
    made: SignedClient = client(app, secret, **at)
    return made


def _not_on_event_loop(instead: str) -> None:
    if is_on_event_loop():
        raise ConfigurationError(f"an event loop is running here: write {instead!r} instead")
