"""What a queue's worker drives: a delivery that was taken before is opened again, and run."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, DubhooksError
from ._pipeline import Delivery

if TYPE_CHECKING:
    from .._body import Request
    from ..idempotency._lifecycle import Ending
    from ._pipeline import Pipeline

__all__ = ["open_queued", "run_queued"]


def open_queued(pipeline: Pipeline[Any], request: Request) -> Delivery | DubhooksError:
    """Verify and parse a delivery again; how long it waited does not count."""
    started = perf_counter()
    try:
        keys = pipeline.keyring.keys()
    except Exception:  # noqa: BLE001 - somebody's callable, whose message may hold the secret
        return ConfigurationError("there is no usable secret, so it cannot be verified")
    event = pipeline.read(request, keys, None)
    return event if isinstance(event, DubhooksError) else Delivery(event, started, request)


def run_queued(pipeline: Pipeline[Any], delivery: Delivery, queued_seconds: float) -> Ending | None:
    """Claim and run a delivery in this thread; ``None``: it has no handler here.

    Args:
        pipeline: of its receiver.
        delivery: what was opened again.
        queued_seconds: since it was taken.
    """
    handler = pipeline.registry.find(delivery.event)
    if handler is None:
        return None
    ending = pipeline.run_job(delivery, handler)
    pipeline.report(delivery, handler, ending, queued_seconds)
    return ending
