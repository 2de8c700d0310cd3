"""A route of FastAPI that notes what happens, in which order."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI

from dubhooks import Claim, MemoryStore, Webhooks
from dubhooks.fastapi import webhook
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.clients import AsgiClient, Response
from tests.support.adapters.situations import SALE_REQUEST, SECRET, Request

seen: list[str] = []


class SeenStore(MemoryStore):
    """A memory store that notes when it is asked."""

    def claim(self, *arguments: Any, **durations: Any) -> Claim:
        """Claim, and note it."""
        seen.append("claim")
        return super().claim(*arguments, **durations)

    def complete(self, key: str, token: str, *, retention: float) -> bool:
        """Complete, and note it."""
        seen.append("complete")
        return super().complete(key, token, retention=retention)

    def release(self, key: str, token: str) -> bool:
        """Release, and note it."""
        seen.append("release")
        return super().release(key, token)


def get_source(source: str = "none") -> str:
    """Be a dependency."""
    seen.append("dependency")
    return source


Source = Annotated[str, Depends(get_source)]


def endpoint(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return the endpoint of a handler of sales."""
    hooks = Webhooks(SECRET, store=SeenStore())
    return webhook(hooks, SaleCreated)(handler)


def answer(
    handler: Callable[..., Any], path: str = "/x", request: Request = SALE_REQUEST, **route: Any
) -> Response:
    """Return what a route at ``path`` answers."""
    app = FastAPI()
    app.post("/x", **route)(endpoint(handler))
    return request.send(AsgiClient(app, path))
