"""Which handler takes which event."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

from ..errors import ConfigurationError
from ..events._base import Event
from ..events._family import event_names_of
from ..events.unknown import UnknownEvent
from ..idempotency._keys import Dedupe
from ..payload import is_payout_like
from ..reply import Reply
from ._functions import check_takes_event_only, is_async_callable, name_of

if TYPE_CHECKING:
    from ..events._family import Family
    from ..idempotency._log import Log
    from ..queues import Queue

Taken: TypeAlias = "type[Event] | str"
"""What a handler takes: a class, or the name of an event that has none."""

_NAME = re.compile(r"[A-Za-z0-9_.]+")


class Handler(NamedTuple):
    """A function that takes the event, and how to judge it."""

    function: Callable[[Any], Any]
    is_async: bool
    name: str
    status_of: Callable[[Any], int]
    """The HTTP status in what it returned."""
    dedupe: Dedupe = "id"
    is_fallback: bool = False
    """``on_unhandled``, which never changes the outcome."""
    queue: Queue | None = None
    """Where the event waits for a worker; without one the handler runs at once."""
    is_paid_when_queued: bool = False
    """The queue may take payouts, which Dub marks as paid with the 202."""


class Route(NamedTuple):
    """A decorated route of a framework: what it takes, and how its handler is called."""

    name: str
    takes: tuple[Taken, ...]
    """Empty: every event but those that look like a payout, which must be named."""
    is_async: bool
    status_of: Callable[[Any], int]
    dedupe: Dedupe

    def matches(self, event: Event) -> bool:
        """Tell whether this route takes ``event``."""
        return _key_of(event) in self.takes if self.takes else not is_payout(event)

    def bind(self, call: Callable[[], Any]) -> Handler:
        """Return the handler of one request; ``call`` has its arguments already."""

        def function(_: Event) -> Any:
            return call()

        return Handler(function, self.is_async, self.name, self.status_of, self.dedupe)


class Registry:
    """One handler per event type, fixed with the first delivery; and the routes there are."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._handlers: dict[Taken, Handler] = {}
        self._routes: dict[str, Route] = {}
        self.fallback: Handler | None = None
        """The ``on_unhandled`` callback, if any."""
        self._is_open = True
        self._warned: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """Nothing takes any event."""
        return not (self._handlers or self._routes or self.fallback)

    @property
    def queues(self) -> set[Queue]:
        """The queues of all handlers."""
        return {one.queue for one in self._handlers.values() if one.queue is not None}

    def add(
        self,
        takes: tuple[Taken, ...],
        dedupe: Dedupe,
        queue: Queue | None,
        is_paid_when_queued: bool,
        function: Any,
    ) -> Any:
        """Register ``function`` for events, and return it.

        Raises:
            ConfigurationError: it cannot take them, one has a handler, or it is too late.
        """
        handler = self._build(function, dedupe)._replace(
            queue=queue, is_paid_when_queued=is_paid_when_queued
        )
        for one in takes:
            if one in self._handlers:
                name = one if isinstance(one, str) else " / ".join(event_names_of(one))
                raise ConfigurationError(
                    f"{name} has a handler already, {self._handlers[one].name}: call both "
                    "functions from one handler"
                )
        self._handlers.update(dict.fromkeys(takes, handler))
        return function

    def add_fallback(self, function: Any) -> Any:
        """Register ``function`` for every event without a handler, and return it.

        Raises:
            ConfigurationError: there is one already, or it is too late.
        """
        if self.fallback is not None:
            raise ConfigurationError(
                f"on_unhandled has a handler already, {self.fallback.name}: call both functions "
                "from one"
            )
        self.fallback = self._build(function, "id")._replace(is_fallback=True)
        return function

    def add_route(self, route: Route) -> None:
        """Note a route, for messages; a route takes its events by itself."""
        self._routes[route.name] = route

    def find(self, event: Event) -> Handler | None:
        """Return the handler of ``event``, the fallback not counted.

        From now on registrations are refused: a late one would have missed events.
        """
        self._is_open = False
        return self._handlers.get(_key_of(event))

    def find_route(self, event: Event) -> str | None:
        """Return the name of a route that takes ``event``."""
        return next((one.name for one in self._routes.values() if one.matches(event)), None)

    def _build(self, function: Any, dedupe: Dedupe) -> Handler:
        check_takes_event_only(function)
        name = name_of(function)
        if not self._is_open:
            raise ConfigurationError(
                f"{name} is registered after the first delivery: import the modules that register "
                "handlers when the application starts"
            )
        status_of = partial(self._read_status, name)
        return Handler(function, is_async_callable(function), name, status_of, dedupe)

    def _read_status(self, name: str, result: object) -> int:
        """Return the HTTP status in what the handler ``name`` returned.

        It returns nothing; what a framework takes for a response, returned by mistake, still
        counts, because a 500 in it must not become a 200.
        """
        status = _find_status(result)
        if isinstance(status, int) and not isinstance(status, bool) and 100 <= status < 600:
            # What is sent is our own reply, and it has a body: 204 and 205 cannot.
            return 200 if status in (204, 205) else status
        if result is not None and name not in self._warned:
            self._warned.add(name)
            self._log.warning(
                "the handler %s returned %s, which means nothing here, so the event counts as "
                "handled: raise RetryLater or Reject, or any exception, when it is not",
                name,
                type(result).__name__,
            )
        return 200


def resolve_events(family: Family[Any], events: tuple[object, ...]) -> tuple[Taken, ...]:
    """Return the classes, or the one name, that a handler is to take.

    Raises:
        ConfigurationError: one of them is no event of the family, a name has a
            model, or there is none.
    """
    if not events:
        raise ConfigurationError(f"name the {family.name} events by their class: on(SaleCreated)")
    if len(events) == 1 and isinstance(events[0], str):
        return (_check_name(family, events[0]),)
    return tuple(_check_class(family, event) for event in events)


def is_payout(event: Event) -> bool:
    """Tell whether a reply below 400 might mark a payout as paid."""
    return is_payout_like(event.event, event.data)


def _key_of(event: Event) -> Taken:
    return event.event if isinstance(event, UnknownEvent) else type(event)


def _check_name(family: Family[Any], name: str) -> str:
    if name in family.classes:
        cls = family.classes[name]
        raise ConfigurationError(
            f"{name!r} has a model: write on({cls.__name__}), with from dubhooks.{family.name}s "
            f"import {cls.__name__}"
        )
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is no name of an event: letters, digits, dots and underscores; for every "
            "event without a handler there is on_unhandled"
        )
    return name


def _check_class(family: Family[Any], event: object) -> type[Event]:
    if isinstance(event, type) and event in family.classes.values():
        return cast("type[Event]", event)
    if isinstance(event, type) and issubclass(event, Event) and event is not UnknownEvent:
        raise ConfigurationError(
            f"{event.__module__}.{event.__name__} is not a {family.name} event: webhooks and "
            f"postbacks share names but not classes; take it from dubhooks.{family.name}s"
        )
    raise ConfigurationError(
        "events are named by their classes, one by one, before there is a function: "
        "@hooks.on(LinkCreated, LinkUpdated) or @webhook(hooks, SaleCreated); an event that has "
        'no class is named alone, on("invoice.refunded")'
    )


def _find_status(result: object) -> object:
    if isinstance(result, Reply):
        return result.status
    if isinstance(result, tuple):
        parts = cast("tuple[object, ...]", result)
        return parts[1] if len(parts) in (2, 3) else None
    return getattr(result, "status_code", None)
