"""Handlers of sales, mounted in each way that ``dubhooks.django`` has."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from django.http import HttpRequest

import dubhooks.django
from dubhooks import Webhooks
from dubhooks.webhooks import SaleCreated


def mount_handler(
    hooks: Webhooks, mount: str, call: Callable[[], object], *, is_async: bool
) -> Any:
    """Return a view whose handler of sales calls ``call``."""

    def take(event: SaleCreated) -> None:
        call()

    async def take_async(event: SaleCreated) -> None:
        result = call()
        if isinstance(result, Coroutine):
            await result

    handler: Any = take_async if is_async else take
    if mount == "view":
        hooks.on(SaleCreated)(handler)
        return dubhooks.django.view(hooks)
    if is_async:

        async def answer_async(request: HttpRequest, event: SaleCreated) -> None:
            await handler(event)

        return dubhooks.django.webhook(hooks, SaleCreated)(answer_async)

    def answer(request: HttpRequest, event: SaleCreated) -> None:
        handler(event)

    return dubhooks.django.webhook(hooks, SaleCreated)(answer)
