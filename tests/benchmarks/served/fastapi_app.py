"""FastAPI."""

import json

from fastapi import FastAPI, Request

import dubhooks
from dubhooks.webhooks import SaleCreated
from tests.benchmarks.served import (
    ANSWER,
    BARE,
    PATH,
    TYPED,
    UNTYPED,
    chosen_way,
    make_receiver,
    use,
    use_untyped,
    verify_by_hand,
)

app = FastAPI()


async def bare(request: Request) -> dict[str, str]:
    """Read the body."""
    assert await request.body()
    return ANSWER


async def by_hand(request: Request) -> dict[str, str]:
    """Verify, and read untyped JSON."""
    body = await request.body()
    verify_by_hand(body, request.headers["Dub-Signature"])
    use_untyped(json.loads(body)["data"]["sale"]["amount"])
    return ANSWER


async def typed(request: Request) -> dict[str, str]:
    """Verify, and parse into the same model."""
    body = await request.body()
    verify_by_hand(body, request.headers["Dub-Signature"])
    use(SaleCreated.model_validate_json(body))
    return ANSWER


async def handle(event: SaleCreated) -> None:
    """Use the event, on the event loop."""
    use(event)


views = {BARE: bare, UNTYPED: by_hand, TYPED: typed}
if chosen_way() in views:
    app.post(PATH)(views[chosen_way()])
else:
    hooks = make_receiver()
    hooks.on(SaleCreated)(handle)
    app.include_router(dubhooks.fastapi.router(hooks, path=PATH))
