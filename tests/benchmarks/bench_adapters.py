"""A whole verified request through a framework, beside the bare framework.

Run it with ``python tests/benchmarks/bench_adapters.py``.  "Bare" reads the body
and answers the same JSON; "by hand" verifies with ``hmac`` and reads untyped
JSON; ours verify, parse and run a typed handler.  Applications are called in
process, in turn, in one run; only the ratios of their fastest rounds count.  Frameworks
that are not installed are left out.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

import dubhooks
from dubhooks.webhooks import SaleCreated
from tests.benchmarks import bodies

ROUNDS, SECONDS_A_ROUND = 60, 0.01
SECRET = "whsec_" + "0123456789abcdef" * 2
BODY = bodies.sale()
SIGNATURE = dubhooks.sign(BODY, SECRET)
PATH = "/webhooks/dub"


class Row(NamedTuple):
    """One way to serve a delivery: a call that sends one, and the wanted ratio to bare."""

    call: Callable[[], Any]
    wanted: float | None = None
    deliveries: int = 1
    """How many one call sends."""


def main() -> None:
    """Print a table a framework."""
    print(f"Python {sys.version.split()[0]}, a sale.created of {len(BODY)} bytes")
    for framework, rows_of in FRAMEWORKS.items():
        if find_spec(framework) is None:
            print(f"\n{framework}: not installed")
            continue
        rows = rows_of()
        times = measured({name: row.call for name, row in rows.items()})
        times = {name: times[name] / row.deliveries for name, row in rows.items()}
        print(f"\n{framework} {version(framework)} (microseconds, ratio to bare)")
        for name, row in rows.items():
            wanted = f", wanted <= {row.wanted}" if row.wanted else ""
            print(f"  {name:24} {times[name]:9.1f}  {times[name] / times['bare']:6.2f}{wanted}")


def measured(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the microseconds of each call in its fastest of many short rounds, taken in turn."""
    counts = {name: _calls_a_round(call) for name, call in calls.items()}
    rounds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            repeats = range(counts[name])
            start = time.perf_counter()
            for _ in repeats:
                call()
            rounds[name].append((time.perf_counter() - start) / len(repeats) * 1e6)
    # The fastest: what else the machine does can only add to it.
    return {name: min(taken) for name, taken in rounds.items()}


def _calls_a_round(call: Callable[[], Any]) -> int:
    call()  # the first one builds the parser
    start = time.perf_counter()
    for _ in range(20):
        call()
    return max(1, int(SECONDS_A_ROUND * 20 / (time.perf_counter() - start)))


def receiver() -> dubhooks.Webhooks:
    """Return a receiver with a handler and without a store."""
    hooks = dubhooks.Webhooks(SECRET)

    @hooks.on(SaleCreated)
    def handler(event: SaleCreated) -> None:
        assert event.data.sale.amount

    return hooks


def wsgi_call(app: Any) -> Callable[[], None]:
    """Return a call that delivers the sale to a WSGI application, and checks the status."""
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": PATH,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(BODY)),
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_USER_AGENT": "Dub.co Webhooks",
        "HTTP_DUB_SIGNATURE": SIGNATURE,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }

    def start_response(status: str, *_: object) -> None:
        assert status.startswith("200 "), status

    def call() -> None:
        body = app({**environ, "wsgi.input": BytesIO(BODY)}, start_response)
        b"".join(body)
        close = getattr(body, "close", None)
        if close is not None:
            close()

    return call


def flask_rows() -> dict[str, Row]:
    """Return the rows of Flask."""
    from flask import Flask, request

    bare, by_hand, view, webhook = (Flask(name) for name in ("bare", "hand", "view", "webhook"))

    @bare.post(PATH)
    def read() -> dict[str, str]:
        assert request.get_data()
        return {"outcome": "handled"}

    @by_hand.post(PATH)
    def verify() -> dict[str, str]:
        computed = hmac.new(SECRET.encode(), request.get_data(), hashlib.sha256).hexdigest()
        assert hmac.compare_digest(computed, request.headers["Dub-Signature"])
        assert request.json["data"]["sale"]["amount"]
        return {"outcome": "handled"}

    view.add_url_rule(PATH, view_func=dubhooks.flask.view(receiver()))

    @webhook.post(PATH)
    @dubhooks.flask.webhook(receiver(), SaleCreated)
    def handler(event: SaleCreated) -> None:
        assert event.data.sale.amount

    return {
        "bare": Row(wsgi_call(bare)),
        "by hand": Row(wsgi_call(by_hand)),
        "view": Row(wsgi_call(view), 1.35),
        "webhook": Row(wsgi_call(webhook), 1.35),
        "dubhooks.wsgi, no Flask": Row(wsgi_call(dubhooks.wsgi.app(receiver()))),
    }


def asgi_row(app: Any, wanted: float | None = None) -> Row:
    """Return the row of an ASGI application; every call sends many on one event loop."""
    headers = {
        "host": "127.0.0.1:8000",
        "user-agent": "Dub.co Webhooks",
        "content-type": "application/json",
        "content-length": str(len(BODY)),
        "dub-signature": SIGNATURE,
    }
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 40_000),
        "server": ("127.0.0.1", 8000),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 200) == 200, message

    async def deliver() -> None:
        for _ in range(50):
            await app(dict(scope), receive, send)

    return Row(lambda: LOOP.run_until_complete(deliver()), wanted, deliveries=50)


def fastapi_rows() -> dict[str, Row]:
    """Return the rows of FastAPI."""
    from fastapi import FastAPI, Request

    bare, body, router, webhook = (FastAPI() for _ in range(4))

    async def read(request: Any) -> dict[str, str]:
        return {"id": (await request.json())["id"]}

    # FastAPI cannot see a name that is imported in a function.
    read.__annotations__["request"] = Request
    bare.post(PATH)(read)

    @body.post(PATH)
    async def body_parameter(payload: dict[str, Any]) -> dict[str, str]:
        return {"id": payload["id"]}

    router.include_router(dubhooks.fastapi.router(async_receiver()))

    @webhook.post(PATH)
    @dubhooks.fastapi.webhook(receiver(), SaleCreated)
    async def handler(event: SaleCreated) -> None:
        assert event.data.sale.amount

    return {
        "bare": asgi_row(bare),
        "bare, body parameter": asgi_row(body),
        "router": asgi_row(router, 0.75),
        "webhook": asgi_row(webhook),
    }


def starlette_rows() -> dict[str, Row]:
    """Return the rows of Starlette."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def read(request: Request) -> JSONResponse:
        return JSONResponse({"id": (await request.json())["id"]})

    app = dubhooks.asgi.app(async_receiver())
    return {
        "bare": asgi_row(Starlette(routes=[Route(PATH, read, methods=["POST"])])),
        "route": asgi_row(Starlette(routes=[Route(PATH, app)]), 2.1),
        "dubhooks.asgi alone": asgi_row(app),
    }


def django_rows() -> dict[str, Row]:
    """Return the rows of Django, without middleware, which would hide what we take."""
    import django
    from django.conf import settings
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpRequest, HttpResponse, JsonResponse
    from django.urls import path

    settings.configure(ALLOWED_HOSTS=["*"], USE_TZ=True, MIDDLEWARE=[], ROOT_URLCONF=())
    django.setup()

    def bare(request: HttpRequest) -> HttpResponse:
        assert request.body
        return JsonResponse({"outcome": "handled"})

    def by_hand(request: HttpRequest) -> HttpResponse:
        computed = hmac.new(SECRET.encode(), request.body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(computed, request.META["HTTP_DUB_SIGNATURE"])
        assert json.loads(request.body)["data"]["sale"]["amount"]
        return JsonResponse({"outcome": "handled"})

    def inline(request: HttpRequest) -> HttpResponse:
        dubhooks.verify(request.body, request.META["HTTP_DUB_SIGNATURE"], SECRET)
        event = dubhooks.webhooks.parse(request.body)
        assert isinstance(event, SaleCreated)
        assert event.data.sale.amount
        return JsonResponse({"outcome": "handled"})

    async def bare_async(request: HttpRequest) -> HttpResponse:
        return bare(request)

    @dubhooks.django.webhook(receiver(), SaleCreated)
    def handler(_: HttpRequest, event: SaleCreated) -> None:
        assert event.data.sale.amount

    @dubhooks.django.webhook(receiver(), SaleCreated)
    async def async_handler(_: HttpRequest, event: SaleCreated) -> None:
        assert event.data.sale.amount

    views: dict[str, Any] = {
        "bare": bare,
        "hand": by_hand,
        "inline": inline,
        "view": dubhooks.django.view(receiver()),
        "webhook": handler,
        "bare-async": bare_async,
        "async": async_handler,
    }
    settings.ROOT_URLCONF = tuple(path(f"{name}{PATH}", view) for name, view in views.items())
    wsgi, asgi = WSGIHandler(), ASGIHandler()

    def sync_row(name: str, wanted: float | None = None) -> Row:
        def app(environ: Any, start_response: Any) -> Any:
            return wsgi({**environ, "PATH_INFO": f"/{name}{PATH}"}, start_response)

        return Row(wsgi_call(app), wanted)

    def async_row(name: str) -> Row:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            messages = [await receive()]

            async def receive_once() -> Any:
                # After the body Django waits for the client to hang up.
                return (
                    messages.pop() if messages else await asyncio.get_running_loop().create_future()
                )

            await asgi({**scope, "path": f"/{name}{PATH}"}, receive_once, send)

        return asgi_row(app)

    return {
        "bare": sync_row("bare"),
        "by hand": sync_row("hand"),
        "verify and parse in it": sync_row("inline"),
        "view": sync_row("view", 1.35),
        "webhook": sync_row("webhook", 1.35),
        "bare, ASGI": async_row("bare-async"),
        "async webhook, ASGI": async_row("async"),
        "view, ASGI": async_row("view"),
    }


def async_receiver() -> dubhooks.Webhooks:
    """Return a receiver with an async handler and without a store."""
    hooks = dubhooks.Webhooks(SECRET)

    @hooks.on(SaleCreated)
    async def handler(event: SaleCreated) -> None:
        assert event.data.sale.amount

    return hooks


LOOP = asyncio.new_event_loop()
FRAMEWORKS: dict[str, Callable[[], dict[str, Row]]] = {
    "django": django_rows,
    "flask": flask_rows,
    "fastapi": fastapi_rows,
    "starlette": starlette_rows,
}

if __name__ == "__main__":
    main()
