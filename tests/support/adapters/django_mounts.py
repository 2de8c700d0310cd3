"""Handlers of sales, mounted in each way that ``dubhooks.django`` has."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import Any

import dubhooks.django
from dubhooks import Webhooks
from dubhooks.webhooks import SaleCreated


def mount_handler(
    hooks: Webhooks, mount: str, call: Callable[[], object], *, is_async: bool
) -> Any:
    """Return a view whose handler of sales calls ``call``."""

    def take(*_: Any) -> None:
        call()

    async def take_async(*_: Any) -> None:
        result = call()
        if isawaitable(result):
            await result

    return mount_taking(hooks, mount, take_async if is_async else take)


def mount_taking(hooks: Webhooks, mount: str, handler: Callable[..., Any]) -> Any:
    """Return a view with this handler of sales, which takes what either mount passes."""
    if mount == "webhook":
        return dubhooks.django.webhook(hooks, SaleCreated)(handler)
    hooks.on(SaleCreated)(handler)
    return dubhooks.django.view(hooks)
