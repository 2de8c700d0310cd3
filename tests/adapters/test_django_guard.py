"""Django: no error page turns a failed delivery into a success; what a handler must take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.test import RequestFactory
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

import dubhooks.django
from dubhooks import ConfigurationError, MemoryStore, Webhooks
from dubhooks.testing import make_event
from dubhooks.webhooks import LeadCreated, PayoutConfirmed, SaleCreated, WebhookEvent
from tests.support.adapters.clients import Response
from tests.support.adapters.django_setup import MIDDLEWARE, PATH, DjangoClient
from tests.support.adapters.situations import (
    BODY,
    PAYOUT,
    PAYOUT_REQUEST,
    SALE_REQUEST,
    SECRET,
    HandlerFailed,
    Request,
    signed,
    with_signature,
)

FAILED = b'{"outcome":"failed"}'
BOTH = pytest.mark.parametrize("asgi", [False, True], ids=["wsgi", "asgi"])
MOUNTS = pytest.mark.parametrize("mount", ["view", "webhook", "async view", "async webhook"])
ERRORS = pytest.mark.parametrize(
    ("error", "page"),
    [
        pytest.param(HandlerFailed(), "handler500", id="500"),
        pytest.param(Http404(), "handler404", id="404"),
        pytest.param(PermissionDenied(), "handler403", id="403"),
        pytest.param(BadRequest(), "handler400", id="400"),
        pytest.param(SuspiciousOperation(), "handler400", id="suspicious"),
    ],
)
WITHOUT_LOGIN = [one for one in MIDDLEWARE if "Login" not in one]


def failing(error: Exception, mount: str = "view", **settings: Any) -> tuple[Any, list[str]]:
    """Return a view whose handler raises, and what the handler was called with."""
    hooks = Webhooks(SECRET, **settings)
    runs: list[str] = []

    def fail(*args: Any) -> None:
        runs.append(args[-1].id)
        raise error

    async def fail_async(*args: Any) -> None:
        fail(*args)

    handler: Any = fail_async if mount.startswith("async") else fail
    if mount.endswith("webhook"):
        return dubhooks.django.webhook(hooks, SaleCreated, PayoutConfirmed)(handler), runs
    hooks.on(SaleCreated, PayoutConfirmed)(handler)
    return dubhooks.django.view(hooks), runs


def client_of(view: Any, *, asgi: bool = False, **names: Any) -> DjangoClient:
    """Return a client of a project whose URLconf is a module with these names."""
    urls = ModuleType("urls")
    changes = {name: names.pop(name) for name in list(names) if name.isupper()}
    vars(urls).update(urlpatterns=[path(PATH, view), path("page", broken_page)], **names)
    return DjangoClient(asgi=asgi, **{"ROOT_URLCONF": urls, "MIDDLEWARE": WITHOUT_LOGIN, **changes})


def broken_page(request: HttpRequest) -> HttpResponse:
    """Be a page of the project that fails."""
    raise HandlerFailed


def sorry(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Be an error page that forgets its status."""
    return HttpResponse("sorry")


def to_login(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Be an error page that redirects."""
    return HttpResponseRedirect("/login")


def seen(response: Response) -> tuple[int, bytes]:
    """Return what Dub looks at."""
    return response.status, response.body


@pytest.fixture
def reported() -> Iterator[list[type[BaseException] | None]]:
    """Return what error reports are made of: the exceptions that Django signals."""
    told: list[type[BaseException] | None] = []

    def tell(**_: object) -> None:
        told.append(sys.exc_info()[0])

    got_request_exception.connect(tell)
    yield told
    got_request_exception.disconnect(tell)


@BOTH
@MOUNTS
@ERRORS
@pytest.mark.parametrize("answer", [sorry, to_login])
def test_an_error_page_cannot_make_it_a_success(
    error: Exception,
    page: str,
    answer: Any,
    mount: str,
    asgi: bool,
    caplog: pytest.LogCaptureFixture,
    reported: list[Any],
) -> None:
    """A page that answers 200 or redirects loses no event: Dub is told 500, and sends again."""
    for settings in ({}, {"store": MemoryStore()}):
        view, runs = failing(error, mount, **settings)
        client = client_of(view, asgi=asgi, **{page: answer})
        for request in (SALE_REQUEST, PAYOUT_REQUEST, SALE_REQUEST):
            response = request.send(client)
            assert (seen(response), "location" in response.headers) == ((500, FAILED), False)
        assert len(runs) == 3
    assert f"answered {answer(HttpRequest()).status_code} for a delivery that failed" in caplog.text
    # Those below 500 are no errors to Django, so it does not signal them.
    assert reported == ([HandlerFailed] * 6 if page == "handler500" else [])


@BOTH
@MOUNTS
def test_pages_of_errors_are_sent_as_they_are(
    mount: str, asgi: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """An error page with its status is for Dub too, and nothing is logged about it."""

    def page(request: HttpRequest) -> HttpResponse:
        return HttpResponse("sorry", status=503, headers={"X-Page": "own"})

    view, _ = failing(HandlerFailed(), mount)
    response = SALE_REQUEST.send(client_of(view, asgi=asgi, handler500=page))
    assert (seen(response), response.headers["x-page"]) == ((503, b"sorry"), "own")
    assert "for a delivery that failed" not in caplog.text


@BOTH
def test_a_page_that_is_named_by_its_path(asgi: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URLconf may name its page instead of importing it."""
    pages = ModuleType("pages_of_a_project")
    vars(pages)["sorry"] = sorry
    monkeypatch.setitem(sys.modules, pages.__name__, pages)
    view, _ = failing(HandlerFailed())
    client = client_of(view, asgi=asgi, handler500=f"{pages.__name__}.sorry")
    assert [seen(SALE_REQUEST.send(client)) for _ in range(2)] == [(500, FAILED)] * 2


@BOTH
def test_other_requests_are_left_alone(asgi: bool, caplog: pytest.LogCaptureFixture) -> None:
    """The project's pages answer what they like to every other request."""
    view, _ = failing(HandlerFailed())
    client = client_of(view, asgi=asgi, handler500=sorry, handler404=to_login)
    assert SALE_REQUEST.send(client).status == 500
    caplog.clear()
    client._path = "/page"
    assert seen(Request(b"", headers=[], method="GET").send(client)) == (200, b"sorry")
    client._path = "/nowhere"
    assert Request(b"", headers=[], method="GET").send(client).status == 302
    client._path = f"/{PATH}"
    assert with_signature().send(client).status == 401
    assert "for a delivery that failed" not in caplog.text


def use_other_urls(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Be a middleware that chooses the URLconf, as for several hosts."""

    def middleware(request: HttpRequest) -> HttpResponse:
        vars(request)["urlconf"] = OTHER_URLS[0]
        return get_response(request)

    return middleware


class TellException:
    """A middleware that looks at exceptions."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass everything on."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Note an exception."""
        EXCEPTIONS.append(exception)


OTHER_URLS: list[ModuleType] = []
EXCEPTIONS: list[Exception] = []


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Django import middleware from here, whatever pytest calls this module."""
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    EXCEPTIONS.clear()


@BOTH
@MOUNTS
def test_the_urlconf_of_a_request(mount: str, asgi: bool) -> None:
    """The pages of a URLconf that middleware has chosen are guarded as well."""
    view, _ = failing(HandlerFailed(), mount)
    other = client_of(view, handler500=sorry)._changes["ROOT_URLCONF"]
    OTHER_URLS[:] = [other]
    middleware = [f"{__name__}.use_other_urls", *WITHOUT_LOGIN]
    client = DjangoClient(asgi=asgi, MIDDLEWARE=middleware)
    assert seen(SALE_REQUEST.send(client)) == (500, FAILED)


@BOTH
@MOUNTS
def test_middleware_sees_the_exception(mount: str, asgi: bool) -> None:
    """``process_exception`` is asked first, as for every view."""
    error = HandlerFailed()
    view, _ = failing(error, mount)
    middleware = [*WITHOUT_LOGIN, f"{__name__}.TellException"]
    client = client_of(view, asgi=asgi, handler500=sorry, MIDDLEWARE=middleware)
    assert seen(SALE_REQUEST.send(client)) == (500, FAILED)
    assert [error] == EXCEPTIONS


@BOTH
def test_pages_for_debugging(asgi: bool, reported: list[Any]) -> None:
    """With ``DEBUG`` the developer gets Django's own page."""
    view, _ = failing(HandlerFailed())
    response = SALE_REQUEST.send(client_of(view, asgi=asgi, handler500=sorry, DEBUG=True))
    assert (response.status, b"HandlerFailed" in response.body) == (500, True)
    assert reported == [HandlerFailed]


@MOUNTS
def test_exceptions_that_propagate(mount: str) -> None:
    """``DEBUG_PROPAGATE_EXCEPTIONS`` still does."""
    view, _ = failing(HandlerFailed(), mount)
    client = client_of(view, asgi=True, handler500=sorry, DEBUG_PROPAGATE_EXCEPTIONS=True)
    with pytest.raises(HandlerFailed):
        SALE_REQUEST.send(client)


def test_a_view_that_is_called_by_a_test() -> None:
    """A view that is called without Django raises what its handler raises."""
    view, _ = failing(HandlerFailed())
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in signed(BODY)}
    request = RequestFactory().post("/x", BODY, "application/json", **headers)  # type: ignore[arg-type]
    with pytest.raises(HandlerFailed):
        view(request)


# -- what a handler must take ---------------------------------------------------------------------


def decorate(handler: Any, *events: Any) -> Any:
    """Decorate a handler of sales, or of these events."""
    return dubhooks.django.webhook(Webhooks(SECRET), *(events or (SaleCreated,)))(handler)


def swapped(e: SaleCreated, r: HttpRequest) -> None:
    """Take the event first."""


def other_event(request: HttpRequest, event: LeadCreated) -> None:
    """Take another event."""


def only_event(sale: SaleCreated) -> None:
    """Take no request."""


def by_name(request: HttpRequest, *, event: SaleCreated) -> None:
    """Take the event by name."""


def generator(request: HttpRequest, event: SaleCreated) -> Iterator[str]:
    """Yield."""
    yield event.id


class Method:
    """A class with a handler."""

    def post(self, request: HttpRequest, event: SaleCreated) -> None:
        """Take a sale."""


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (swapped, "second parameter of swapped is the event and takes SaleCreated"),
        (other_event, "second parameter of other_event is the event and takes SaleCreated"),
        (lambda event, request: None, "takes the request first and the event second"),
        (lambda sale, request: None, "takes the request first and the event second"),
        (lambda event: None, "takes the request first and the event second"),
        (Method.post, "decorate a function instead of a method"),
        (only_event, "only_event has no event parameter: the second one is the event"),
        (lambda: None, "has no event parameter"),
        (by_name, "by_name has no event parameter"),
        (generator, "generator yields"),
    ],
)
def test_handlers_that_cannot_work(handler: Any, words: str) -> None:
    """A handler that could not be called is refused where it is decorated."""
    with pytest.raises(ConfigurationError, match=words):
        decorate(handler)


def test_a_catch_all_that_takes_one_event() -> None:
    """Without a class the handler gets every event, so it must take every event."""
    with pytest.raises(ConfigurationError, match="every webhook event"):
        dubhooks.django.webhook(Webhooks(SECRET))(other_event)  # type: ignore[arg-type]


def unknown_names(request: Nobody, event: Knows | None) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Have annotations that only a type checker can resolve."""


def wider(request: HttpRequest, event: WebhookEvent) -> None:
    """Take every event."""


def anything(*args: Any, **names: Any) -> None:
    """Take everything."""


@pytest.mark.parametrize(
    "handler", [unknown_names, wider, anything, Method().post, lambda request, event: None]
)
def test_handlers_that_work(handler: Any) -> None:
    """What may take the event is accepted."""
    client = DjangoClient(path(PATH, decorate(handler)))
    assert SALE_REQUEST.send(client).status == 200


def test_a_method_decorator() -> None:
    """Django's own way to decorate a method works, because it decorates the bound one."""
    events: list[str] = []

    class Hook(View):
        @method_decorator(decorate)
        def post(self, request: HttpRequest, event: SaleCreated) -> HttpResponse:
            events.append(event.id)
            return HttpResponse("own")

    client = client_of(csrf_exempt(Hook.as_view()))
    assert seen(SALE_REQUEST.send(client)) == (200, b"own")
    assert len(events) == 1


def test_a_method_that_is_not_recognised(caplog: pytest.LogCaptureFixture) -> None:
    """A method whose parameters do not show it is named with the first delivery."""

    class Hook(View):
        def post(self, *args: Any) -> None: ...

    Hook.post = decorate(lambda view, *args: None)  # type: ignore[method-assign]
    assert SALE_REQUEST.send(client_of(csrf_exempt(Hook.as_view()))).status == 500
    assert "decorate a function instead of a method" in caplog.text


# -- the same payout under another event id -------------------------------------------------------


@BOTH
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_payout_that_is_sent_under_two_ids(is_async: bool, asgi: bool) -> None:
    """``dedupe="natural"`` pays it once; the event's id alone does not tell."""
    paid: list[str] = []

    def pay(request: HttpRequest, event: PayoutConfirmed) -> None:
        paid.append(event.data.id)

    async def pay_async(request: HttpRequest, event: PayoutConfirmed) -> None:
        pay(request, event)

    again = Request(make_event(PayoutConfirmed, data__id=PAYOUT.data.id).to_json())
    assert again.body != PAYOUT_REQUEST.body
    for dedupe, times in (("natural", 1), ("id", 2)):
        hooks = Webhooks(SECRET, store=MemoryStore())
        route: Any = dubhooks.django.webhook(hooks, PayoutConfirmed, dedupe=dedupe)  # type: ignore[call-overload]
        client = DjangoClient(path(PATH, route(pay_async if is_async else pay)), asgi=asgi)
        assert [request.send(client).status for request in (PAYOUT_REQUEST, again)] == [200, 200]
        assert paid == [PAYOUT.data.id] * times
        paid.clear()


def test_a_dedupe_that_cannot_work() -> None:
    """It is refused where the handler is decorated."""
    with pytest.raises(ConfigurationError, match="needs a store"):
        dubhooks.django.webhook(Webhooks(SECRET), PayoutConfirmed, dedupe="natural")
    with pytest.raises(ConfigurationError, match='"id" or "natural"'):
        dubhooks.django.webhook(Webhooks(SECRET), PayoutConfirmed, dedupe="both")  # type: ignore[call-overload]
