"""What ``dubhooks.django`` says about bodies that others read, and about mistakes."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

import dubhooks.django
from dubhooks import MemoryStore, Webhooks
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.clients import Response, WsgiClient
from tests.support.adapters.django_setup import (
    MIDDLEWARE,
    PATH,
    WITHOUT_LOGIN,
    DjangoClient,
    api_view,
)
from tests.support.adapters.handlers import of_kind
from tests.support.adapters.situations import BODY, SALE_REQUEST, SECRET, Request

BOTH = pytest.mark.parametrize("asgi", [False, True], ids=["wsgi", "asgi"])
BEFORE: list[Callable[[HttpRequest], object]] = []
"""What the middleware below does with a request."""


def reading(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Be a middleware that looks at the request first."""

    def middleware(request: HttpRequest) -> HttpResponse:
        BEFORE[0](request)
        return get_response(request)

    return middleware


def client_before(
    before: Callable[[HttpRequest], object], view: Any = None, *, asgi: bool = False
) -> DjangoClient:
    """Return a client of a project with a middleware that does ``before``."""
    BEFORE[:] = [before]
    view = view or dubhooks.django.view(Webhooks(SECRET))
    return DjangoClient(
        path(PATH, view), asgi=asgi, MIDDLEWARE=[f"{__name__}.reading", *MIDDLEWARE]
    )


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Django import the middleware from here, whatever pytest calls this module."""
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


@BOTH
@pytest.mark.parametrize(
    "before",
    [
        pytest.param(lambda request: request.body, id="body"),
        pytest.param(lambda request: (request.body, request.read()), id="body and read"),
        pytest.param(lambda request: request.POST, id="POST"),
    ],
)
def test_a_body_that_django_has_kept(before: Callable[[HttpRequest], object], asgi: bool) -> None:
    """A middleware that reads the body the way Django keeps it does no harm."""
    client = client_before(before, asgi=asgi)
    assert SALE_REQUEST.send(client).status == 200
    assert Request(BODY, headers=[("Dub-Signature", "0" * 64)]).send(client).status == 401


@BOTH
@pytest.mark.parametrize(
    "before", [lambda request: request.read(), lambda request: request.read(1)]
)
def test_a_body_that_is_gone_is_named(
    before: Callable[[HttpRequest], object], asgi: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A body that a middleware consumed is called that, and not a wrong signature."""
    response = SALE_REQUEST.send(client_before(before, asgi=asgi))
    assert (response.status, b"body_empty" in response.body) == (400, True)
    assert "the body was read before dubhooks could verify it" in caplog.text


def send_through(change: Callable[[Any], object], *, chunked: bool = False) -> Response:
    """Deliver a sale through a server, or middleware of WSGI, that changes the environment."""

    def server(environ: Any, start_response: Any) -> Any:
        change(environ)
        return WSGIHandler()(environ, start_response)

    view = dubhooks.django.view(Webhooks(SECRET))
    with override_settings(ROOT_URLCONF=(path(PATH, view),)):
        return Request(BODY, chunked=chunked).send(WsgiClient(server, f"/{PATH}"))


@pytest.mark.parametrize(
    ("change", "chunked", "words"),
    [
        pytest.param(
            lambda environ: environ["wsgi.input"].read(len(BODY)),
            False,
            "announced but not there: middleware around Django has read it",
            id="consumed by middleware",
        ),
        pytest.param(
            lambda environ: environ.pop("wsgi.input_terminated"),
            True,
            "let the proxy in front send a Content-Length",
            id="chunks without an end",
        ),
    ],
)
def test_a_body_that_wsgi_does_not_give_is_named(
    change: Callable[[Any], object], chunked: bool, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A body that is not there is called that, with what to change."""
    response = send_through(change, chunked=chunked)
    assert (response.status, b"body_empty" in response.body) == (400, True)
    assert words in caplog.text


@pytest.mark.parametrize("stream", ["terminated", "in memory", "in a file"])
def test_a_body_whose_length_is_not_announced(stream: str) -> None:
    """A body in chunks is read where the server marks its end, or has all of it already."""
    with closing(SpooledTemporaryFile(max_size=10)) as file:
        file.write(BODY)
        file.seek(0)
        given: dict[str, Any] = {"terminated": Whole(BODY), "in memory": io.BytesIO(BODY)}
        changes = {"wsgi.input": given.get(stream, file)}
        changes["wsgi.input_terminated"] = stream == "terminated"
        assert send_through(lambda environ: environ.update(changes), chunked=True).status == 200


class Whole(io.BytesIO):
    """A stream of a socket: it cannot seek."""

    def seekable(self) -> bool:
        """Say so."""
        return False


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_a_body_that_is_cut_off(chunked: bool) -> None:
    """A body that ends early is called that, and not a wrong signature."""
    changes = {"wsgi.input": Cut() if chunked else io.BytesIO(BODY[:-10])}
    response = send_through(lambda environ: environ.update(changes), chunked=chunked)
    assert (response.status, b"body_incomplete" in response.body) == (400, True)


class Cut(io.RawIOBase):
    """A stream whose connection breaks after the first bytes."""

    def read(self, _: int = -1) -> bytes:
        """Break."""
        raise ConnectionResetError


@BOTH
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_handler_that_returns_no_response(
    is_async: bool, asgi: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is not a response is named, and the event is not taken as done."""
    store = MemoryStore()

    def take(request: HttpRequest, event: SaleCreated) -> Any:
        return {"status": "ok"}

    decorate: Any = dubhooks.django.webhook(Webhooks(SECRET, store=store), SaleCreated)
    client = DjangoClient(path(PATH, decorate(of_kind(take, is_async=is_async))), asgi=asgi)
    assert [SALE_REQUEST.send(client).status for _ in range(2)] == [500, 500]
    assert "returns an HttpResponse or None, not dict" in caplog.text


def test_below_a_decorator_of_rest_framework() -> None:
    """``api_view`` around the decorator works, and the handler may look at ``request.data``."""
    seen: list[object] = []

    @api_view
    @dubhooks.django.webhook(Webhooks(SECRET), SaleCreated)
    def take(request: Any, event: SaleCreated) -> None:
        seen.extend([request.data["id"], event.id])

    client = DjangoClient(path(PATH, take), MIDDLEWARE=WITHOUT_LOGIN)
    assert SALE_REQUEST.send(client).status == 200
    assert seen[0] == seen[1]
    assert Request(b"", headers=[], method="GET").send(client).status == 405


def test_a_partial_and_a_callable_object_are_handlers() -> None:
    """Not only functions are handlers; an async ``__call__`` makes an async view."""
    seen: list[str] = []

    class Handler:
        async def __call__(self, request: HttpRequest, event: SaleCreated) -> None:
            seen.append("object")

    def take(name: str, request: HttpRequest, event: SaleCreated) -> None:
        seen.append(name)

    for handler in (Handler(), partial(take, "partial")):
        view: Any = dubhooks.django.webhook(Webhooks(SECRET), SaleCreated)(handler)
        assert SALE_REQUEST.send(DjangoClient(path(PATH, view), asgi=True)).status == 200
    assert seen == ["object", "partial"]


def run(code: str) -> str:
    """Run code in a new process and return what it prints."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_importing_needs_no_settings() -> None:
    """Without settings everything can be imported; only models need an app."""
    printed = run(
        "import dubhooks.django as d, dubhooks\n"
        "hooks = dubhooks.Webhooks('whsec_x', store=d.DjangoStore())\n"
        "d.view, d.webhook\n"
        "d.DjangoInbox(using='other')\n"
        "import sys\n"
        "print(any(name.startswith('dubhooks.django.models') for name in sys.modules))\n"
        "assert set(d.__all__) <= set(dir(d))\n"
        "assert not hasattr(d, 'nothing')"
    )
    assert printed == "False"


def test_django_that_is_missing_is_named() -> None:
    """Without Django the error says what to install."""
    printed = run(
        "import sys\n"
        "sys.modules['django'] = None\n"
        "try:\n"
        "    import dubhooks.django\n"
        "except ImportError as error:\n"
        "    print(error)"
    )
    assert printed == "dubhooks.django needs Django: install dubhooks[django]"
