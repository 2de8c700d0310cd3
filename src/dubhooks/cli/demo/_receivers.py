"""The receivers of the demo, and what they run."""

from __future__ import annotations

import threading
from time import sleep
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ... import postbacks, webhooks, wsgi
from ...receiver._typed import Postbacks, Webhooks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from ...events._base import Event
    from ...idempotency import Store

__all__ = [
    "POSTBACK_SECRET",
    "WEBHOOK_SECRET",
    "Ran",
    "Run",
    "application",
]

WEBHOOK_SECRET: Final = "whsec_0123456789abcdef0123456789abcdef"  # noqa: S105 - a made-up one
POSTBACK_SECRET: Final = "pbsec_fedcba9876543210fedcba9876543210"  # noqa: S105 - a made-up one

_SLOW = 0.15
"""Seconds; long enough for the rest of a burst to meet a claim that is held."""


class Run(NamedTuple):
    """One run of a handler."""

    model: str
    """Name of the class of the event that the handler got."""
    event_id: str


class Ran:
    """What the handlers ran, and how they are to behave."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: list[Run] = []
        self._failing: set[str] = set()
        self._slow: set[str] = set()

    def handle(self, event: Event) -> None:
        """Note the event: the one handler of the demo."""
        with self._lock:
            self._runs.append(Run(type(event).__name__, event.id))
            fails = event.id in self._failing
            self._failing.discard(event.id)
        if event.id in self._slow:
            sleep(_SLOW)
        if fails:
            raise RuntimeError("the demo's handler fails once")

    def fail_once(self, event_id: str) -> None:
        """Let the handler fail the next time it gets this event."""
        self._failing.add(event_id)

    def take_time(self, event_id: str) -> None:
        """Let the handler be slow with this event."""
        self._slow.add(event_id)

    def take(self) -> list[Run]:
        """Return what ran since the last time."""
        with self._lock:
            runs, self._runs = self._runs, []
        return runs


def application(store: Store, ran: Ran) -> WSGIApplication:
    """Return the endpoints ``/webhooks``, ``/postbacks`` and ``/without-payouts``."""
    hooks = Webhooks(WEBHOOK_SECRET, store=store, namespace="webhooks")
    without_payouts = Webhooks(WEBHOOK_SECRET, store=store, namespace="without-payouts")
    partner_hooks = Postbacks(POSTBACK_SECRET, store=store, namespace="postbacks")
    classes = dict.fromkeys(webhooks.family.classes.values())
    _register(hooks, ran, classes)
    _register(without_payouts, ran, [cls for cls in classes if cls is not webhooks.PayoutConfirmed])
    _register(partner_hooks, ran, postbacks.family.classes.values())
    endpoints = {
        "/webhooks": wsgi.app(hooks),
        "/without-payouts": wsgi.app(without_payouts),
        "/postbacks": wsgi.app(partner_hooks),
    }

    def dispatch(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return endpoints[environ["PATH_INFO"]](environ, start_response)

    return dispatch


def _register(hooks: Any, ran: Ran, classes: Iterable[type[Event]]) -> None:
    for cls in classes:
        hooks.on(cls)(ran.handle)
