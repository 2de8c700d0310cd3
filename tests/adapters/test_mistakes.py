"""The mistakes that every framework allows: each is refused where it is made, and named."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

import pytest

import dubhooks.django
import dubhooks.fastapi
import dubhooks.flask
from dubhooks import ConfigurationError, Webhooks, asgi, aws_lambda, wsgi
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import SECRET, AsyncMemoryStore


@pytest.mark.parametrize(
    "mount", [wsgi.app, aws_lambda.handler, dubhooks.flask.view, dubhooks.flask.webhook]
)
def test_a_store_for_an_event_loop_where_there_is_none(mount: Callable[..., Any]) -> None:
    """A store with coroutines is refused by name when the application starts."""
    with pytest.raises(ConfigurationError, match=r"AsyncMemoryStore needs an event .* sync store"):
        mount(Webhooks(SECRET, store=AsyncMemoryStore()))


@pytest.mark.parametrize(
    "mount",
    [
        *(wsgi.app, asgi.app, aws_lambda.handler),
        *(dubhooks.flask.view, dubhooks.django.view, dubhooks.fastapi.router),
    ],
)
def test_what_is_no_receiver(mount: Any) -> None:
    """A mistake in the module is told when it is imported."""
    for wrong in (SaleCreated, SECRET):
        with pytest.raises(ConfigurationError, match="the receiver comes first"):
            mount(wrong)


DECORATORS: dict[str, Any] = {
    "flask": dubhooks.flask.webhook,
    "fastapi": dubhooks.fastapi.webhook,
    "django": dubhooks.django.webhook,
}


class Shop:
    """A class whose method is decorated."""

    def take(self, event: SaleCreated, other: SaleCreated) -> None:
        """Handle a sale."""


def generator(event: SaleCreated, other: SaleCreated) -> Any:
    """Yield, so that calling it runs nothing."""
    yield event, other


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (lambda: None, "has no event parameter"),
        (lambda *, event: None, "has no event parameter"),
        (generator, "generator yields"),
        (Shop.take, r"Shop\.take is a method, and nobody passes its self: decorate a function"),
        ("take", "must be callable"),
    ],
)
@pytest.mark.parametrize("framework", DECORATORS)
def test_a_handler_that_cannot_work(framework: str, handler: Any, why: str) -> None:
    """A handler that could not be called is refused where it is decorated, everywhere alike."""
    with pytest.raises(ConfigurationError, match=why):
        DECORATORS[framework](Webhooks(SECRET), SaleCreated)(handler)


@pytest.mark.parametrize("framework", DECORATORS)
def test_a_decorator_without_its_arguments(framework: str) -> None:
    """``@webhook`` right above a function, and an event of the other family, say what is wrong."""
    webhook = DECORATORS[framework]
    for given in (generator, SaleCreated, None, SECRET):
        with pytest.raises(ConfigurationError, match=r"the receiver comes first: @webhook\(hooks"):
            webhook(given)
    with pytest.raises(ConfigurationError, match=r"not a webhook event: .* dubhooks\.webhooks"):
        webhook(Webhooks(SECRET), dubhooks.postbacks.SaleCreated)
    with pytest.raises(ConfigurationError, match="SaleCreated"):
        webhook(Webhooks(SECRET), "sale.created")
    with pytest.raises(ConfigurationError, match="needs a store"):
        webhook(Webhooks(SECRET), SaleCreated, dedupe="natural")


@pytest.mark.parametrize("framework", ["flask", "fastapi"])
def test_a_framework_that_is_not_installed(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the module says which extra to install."""
    monkeypatch.setitem(sys.modules, framework, None)
    monkeypatch.delitem(sys.modules, f"dubhooks.{framework}")
    with pytest.raises(ImportError, match=rf"install dubhooks\[{framework}\]"):
        importlib.import_module(f"dubhooks.{framework}")
