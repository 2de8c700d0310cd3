"""What is Django's own about the views: its middleware, threads, event loops and transactions."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

import dubhooks.django
from dubhooks import Webhooks, postbacks
from dubhooks.django import DjangoStore
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.django_mounts import mount_handler
from tests.support.adapters.django_setup import PATH, POSTBACK_SECRET, DjangoClient
from tests.support.adapters.situations import BODY, SALE_REQUEST, SECRET, HandlerFailed, Request

BOTH = pytest.mark.parametrize("asgi", [False, True], ids=["wsgi", "asgi"])
HANDLERS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
MOUNTS = pytest.mark.parametrize("mount", ["view", "webhook"])


def plain(request: HttpRequest) -> HttpResponse:
    """Be a view that has nothing to do with dubhooks."""
    return HttpResponse()


def test_the_project_is_strict() -> None:
    """In the project of these tests a plain view is closed to Dub: the table proves something."""
    assert SALE_REQUEST.send(DjangoClient(path(PATH, plain))).status in (302, 403)
    redirected = SALE_REQUEST.send(DjangoClient(path(f"{PATH}/", plain)))
    assert redirected.status == 301


@MOUNTS
@BOTH
def test_a_missing_slash_is_never_a_redirect(mount: str, asgi: bool) -> None:
    """Without the slash of the URL the answer is 404: Dub would take a redirect as success."""
    view = mount_handler(Webhooks(SECRET), mount, lambda: None, is_async=asgi)
    client = DjangoClient(path(f"{PATH}/", view), asgi=asgi)
    assert SALE_REQUEST.send(client).status == 404
    client = DjangoClient(path(f"{PATH}/", view), asgi=asgi, path=f"{PATH}/")
    assert SALE_REQUEST.send(client).status == 200


@BOTH
@pytest.mark.parametrize("slash", ["", "/"], ids=["no slash", "slash"])
def test_urls_serve_the_receivers_of_the_settings(slash: str, asgi: bool) -> None:
    """The app's URLs serve both receivers, with and without a slash, with every app's handlers."""
    from tests.support.adapters.django_shop.dubhooks_handlers import SALES

    urls = path("dub/", include("dubhooks.django.urls"))
    for name, event, secret in (
        ("webhook", make_event(SaleCreated), SECRET),
        ("postback", make_event(postbacks.SaleCreated), POSTBACK_SECRET),
    ):
        body, headers = signed_request(event, secret)
        client = DjangoClient(urls, asgi=asgi, path=f"dub/{name}{slash}")
        for _ in range(2):
            assert client.post(body, list(headers.items())).status == 200
        assert SALES.count(event.id) == 1
        wrong = client.post(body, [("Dub-Signature", "0" * 64)])
        assert wrong.status == 401


@BOTH
@HANDLERS
@MOUNTS
def test_a_claim_outlives_the_rollback_of_the_request(
    mount: str, is_async: bool, asgi: bool
) -> None:
    """With ATOMIC_REQUESTS, claims of DjangoStore are committed whatever the handler does."""
    event = make_event(SaleCreated)
    body, headers = signed_request(event, SECRET)
    answers = [HandlerFailed(), HandlerFailed(), None]
    attempts: list[int | None] = []

    def fail_twice() -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    hooks = Webhooks(
        SECRET, store=DjangoStore(), observers=[lambda record: attempts.append(record.attempt)]
    )
    view = mount_handler(hooks, mount, fail_twice, is_async=is_async)
    client = DjangoClient(path(PATH, view), asgi=asgi)
    statuses = [client.post(body, list(headers.items())).status for _ in range(4)]
    assert statuses == [500, 500, 200, 200]
    assert attempts == [1, 2, 3, 3]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
@BOTH
def test_the_site_wide_limit_counts_too(asgi: bool, chunked: bool) -> None:
    """A body over DATA_UPLOAD_MAX_MEMORY_SIZE is too large, whatever ``max_body`` is."""
    view = dubhooks.django.view(Webhooks(SECRET))
    for limit, status in ((len(BODY), 200), (len(BODY) - 1, 413), (None, 200)):
        changes: dict[str, Any] = {"DATA_UPLOAD_MAX_MEMORY_SIZE": limit}
        client = DjangoClient(path(PATH, view), asgi=asgi, **changes)
        assert Request(BODY, chunked=chunked).send(client).status == status
