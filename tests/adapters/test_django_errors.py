"""Django: nothing turns a failed delivery into a success, and its error reports see it all."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django import test as project_tests
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import connections, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.test import Client as ProjectClient
from django.test import RequestFactory, override_settings
from django.urls import path

import dubhooks.django
from dubhooks import MemoryStore, Reject, RetryLater, SQLiteStore, Webhooks
from dubhooks.django import DjangoStore
from dubhooks.webhooks import PayoutConfirmed, SaleCreated
from tests.support.adapters.clients import Response
from tests.support.adapters.django_setup import PATH, WITHOUT_LOGIN, DjangoClient, Group, api_view
from tests.support.adapters.handlers import of_kind
from tests.support.adapters.situations import (
    BODY,
    PAYOUT_REQUEST,
    SALE,
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


def failing(error: Exception, mount: str = "view", **settings: Any) -> tuple[Any, list[str]]:
    """Return a view whose handler raises, and what the handler was called with."""
    hooks = Webhooks(SECRET, **settings)
    runs: list[str] = []

    def fail(*args: Any) -> None:
        runs.append(args[-1].id)
        raise error

    handler = of_kind(fail, is_async=mount.startswith("async"))
    if mount.endswith("webhook"):
        return dubhooks.django.webhook(hooks, SaleCreated, PayoutConfirmed)(handler), runs
    hooks.on(SaleCreated, PayoutConfirmed)(handler)
    return dubhooks.django.view(hooks), runs


def client_of(view: Any, *, asgi: bool = False, **names: Any) -> DjangoClient:
    """Return a client of a project whose URLconf is a module with these names."""
    urls = ModuleType("urls")
    changes = {name: names.pop(name) for name in list(names) if name.isupper()}
    vars(urls).update(urlpatterns=[path(PATH, view), path("page", broken_page)], **names)
    settings: dict[str, Any] = {"ROOT_URLCONF": urls, "MIDDLEWARE": WITHOUT_LOGIN, **changes}
    return DjangoClient(asgi=asgi, **settings)


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


class AnswerExceptions:
    """A middleware that answers exceptions."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass everything on."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse:
        """Answer as if nothing had happened."""
        return HttpResponse("sorry")


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Django import middleware from here, whatever pytest calls this module."""
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


@BOTH
@MOUNTS
def test_middleware_that_answers_exceptions(mount: str, asgi: bool, reported: list[Any]) -> None:
    """``process_exception`` is not asked, so it cannot answer 200; signals see the exception."""
    view, _ = failing(HandlerFailed(), mount)
    middleware = [*WITHOUT_LOGIN, f"{__name__}.AnswerExceptions"]
    client = client_of(view, asgi=asgi, MIDDLEWARE=middleware)
    assert SALE_REQUEST.send(client).status == 500
    assert reported == [HandlerFailed]
    client._path = "/page"
    assert seen(Request(b"", headers=[], method="GET").send(client)) == (200, b"sorry")


@BOTH
@MOUNTS
def test_an_error_page_that_fails(mount: str, asgi: bool, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged and Dub is told 500, whatever stands around the view."""
    view, _ = failing(HandlerFailed(), mount)
    middleware = [*WITHOUT_LOGIN, f"{__name__}.AnswerExceptions"]
    client = client_of(view, asgi=asgi, handler500=broken_page, MIDDLEWARE=middleware)
    assert seen(SALE_REQUEST.send(client)) == (500, FAILED)
    assert "the project's error page failed" in caplog.text


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


def test_the_test_client_raises_the_exception() -> None:
    """In a project's own tests a failing handler fails the test, as every view does."""
    view, _ = failing(HandlerFailed())
    with override_settings(ROOT_URLCONF=(path(PATH, view),), MIDDLEWARE=WITHOUT_LOGIN):
        with pytest.raises(HandlerFailed):
            post(ProjectClient())
        assert post(ProjectClient(raise_request_exception=False)).status_code == 500


def post(client: ProjectClient) -> Any:
    """Deliver a sale with the client of Django's tests."""
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in signed(BODY)}
    return client.post(f"/{PATH}", BODY, "application/json", **headers)  # type: ignore[arg-type]


# -- what stands around the view -------------------------------------------------------------------


def answer_200(error: Exception, context: Any) -> Any:
    """Be an EXCEPTION_HANDLER of Django REST framework that hides every error."""
    return HttpResponse("sorry")


@BOTH
@ERRORS
def test_an_exception_handler_of_rest_framework(
    error: Exception, page: str, asgi: bool, reported: list[Any]
) -> None:
    """It is not asked about a failed delivery, so it cannot answer 200."""
    view, runs = failing(error, "webhook", store=MemoryStore())
    rest_framework = {"EXCEPTION_HANDLER": f"{__name__}.answer_200"}
    client = client_of(api_view(view), asgi=asgi, REST_FRAMEWORK=rest_framework)
    statuses = [PAYOUT_REQUEST.send(client).status for _ in range(2)]
    expected = 400 if isinstance(error, SuspiciousOperation) else int(page[-3:])
    assert statuses == [expected, expected]
    assert len(runs) == 2
    assert reported == ([HandlerFailed] * 2 if page == "handler500" else [])


AROUND = pytest.mark.parametrize(
    "around", [transaction.atomic, api_view], ids=["atomic", "api_view and ATOMIC_REQUESTS"]
)


def saving(ending: Exception | None, around: Any, store: Any) -> Any:
    """Return a view in a transaction, whose handler saves a group and ends like this."""

    def save(request: HttpRequest, event: SaleCreated) -> None:
        Group.objects.create(name=event.id)
        if ending is not None:
            raise ending

    return around(dubhooks.django.webhook(Webhooks(SECRET, store=store), SaleCreated)(save))


@AROUND
@BOTH
@pytest.mark.parametrize(
    ("ending", "status", "is_saved"),
    [
        pytest.param(None, 200, True, id="done"),
        pytest.param(HandlerFailed(), 500, False, id="failed"),
        pytest.param(Http404(), 404, False, id="404"),
        pytest.param(RetryLater(after=60), 503, False, id="retry later"),
        pytest.param(Reject(), 489, False, id="rejected"),
    ],
)
def test_a_transaction_around_the_view(
    ending: Exception | None, status: int, is_saved: bool, asgi: bool, around: Any, tmp_path: Path
) -> None:
    """What the handler raised rolls it back, although no exception leaves the view."""
    with closing(SQLiteStore(tmp_path / "claims.db")) as store:
        view = saving(ending, around, store)
        try:
            assert SALE_REQUEST.send(client_of(view, asgi=asgi)).status == status
            assert Group.objects.filter(name=SALE.id).exists() is is_saved
        finally:
            Group.objects.all().delete()
            connections.close_all()


@AROUND
def test_claims_are_refused_inside_a_transaction(
    around: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """``DjangoStore`` keeps no claim that a rollback would undo; the log names what opens one."""
    view = saving(None, around, DjangoStore())
    assert SALE_REQUEST.send(client_of(view)).status == 503
    assert not Group.objects.filter(name=SALE.id).exists()
    for words in ("inside a transaction", "atomic()", "ATOMIC_REQUESTS", "@api_view"):
        assert words in caplog.text


def test_the_transaction_of_a_test_case() -> None:
    """A failed delivery in Django's ``TestCase`` leaves the test's own transaction usable."""
    view, _ = failing(HandlerFailed(), store=DjangoStore())

    class Case(project_tests.TestCase):
        def test_one(self) -> None:
            Group.objects.create(name="before")
            assert post(ProjectClient(raise_request_exception=False)).status_code == 500
            assert Group.objects.filter(name="before").exists()

    result = unittest.TestResult()
    with override_settings(ROOT_URLCONF=(path(PATH, view),), MIDDLEWARE=WITHOUT_LOGIN):
        unittest.TestSuite([Case("test_one")]).run(result)
    assert (result.testsRun, result.errors, result.failures) == (1, [], [])
    assert not Group.objects.filter(name="before").exists()
    connections.close_all()
