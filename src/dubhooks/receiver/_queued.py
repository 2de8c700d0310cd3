"""What a queue's worker drives: a delivery that was taken before is verified again, and run."""

from __future__ import annotations

from time import perf_counter, time
from typing import Any

from .._body import Request
from ..errors import DubhooksError
from ..idempotency._lifecycle import Ending
from ._pipeline import Delivery, Pipeline


def run_queued(pipeline: Pipeline[Any], request: Request, received_at: float) -> Ending | str:
    """Claim and run a delivery in this thread; how long it waited does not count.

    Args:
        pipeline: of its receiver.
        request: the delivery.
        received_at: when it was taken, in seconds since 1970.

    Returns:
        How it ended, or why it cannot be worked here.
    """
    started = perf_counter()
    try:
        keys = pipeline.keyring.keys()
    except Exception:  # noqa: BLE001 - somebody's callable, whose message may hold the secret
        return "there is no usable secret, so it cannot be verified"
    event = pipeline.read(request, keys, None)
    if isinstance(event, DubhooksError):
        return str(event)
    handler = pipeline.registry.find(event)
    if handler is None:
        return "no handler takes it in this worker"
    delivery, queued_seconds = Delivery(event, started, request), time() - received_at
    ending = pipeline.run_job(delivery, handler)
    pipeline.report(delivery, handler, ending, queued_seconds)
    return ending
