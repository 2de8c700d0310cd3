"""Which handler takes which event."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ConfigurationError
from ..events._base import Event
from ..events._family import event_names_of
from ..idempotency._keys import Dedupe

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..events._family import Family

__all__ = ["Dedupe", "Handler", "Registry", "checked_dedupe", "classes_of", "is_async_callable"]


class Handler(NamedTuple):
    """A registered function."""

    function: Callable[[Any], Any]
    is_async: bool
    dedupe: Dedupe


class Registry:
    """One handler per event type, fixed once a handler was looked for."""

    def __init__(self, family: Family[Any]) -> None:
        self._family = family
        self._handlers: dict[type[Event], Handler] = {}
        self._unhandled: Handler | None = None
        self._is_open = True

    def add(self, events: tuple[object, ...], function: object, dedupe: Dedupe) -> None:
        """Register ``function`` for events given by class or name.

        Raises:
            ConfigurationError: an event is unknown, taken, or it is too late.
        """
        handler = self._handler(function, dedupe)
        classes = classes_of(self._family, events)
        for cls in classes:
            if cls in self._handlers:
                name = " / ".join(event_names_of(cls))
                raise ConfigurationError(
                    f"{name} has a handler already: call both functions from one handler"
                )
        self._handlers.update(dict.fromkeys(classes, handler))

    def add_unhandled(self, function: object) -> None:
        """Register ``function`` for every event without a handler.

        Raises:
            ConfigurationError: there is one already, or it is too late.
        """
        if self._unhandled is not None:
            raise ConfigurationError("on_unhandled has a handler already")
        self._unhandled = self._handler(function, "id")

    def find(self, event: Event) -> Handler | None:
        """Return the handler of ``event``, ``on_unhandled`` not counted.

        From now on registrations are refused: a late one would have missed events.
        """
        self._is_open = False
        return self._handlers.get(type(event))

    @property
    def unhandled(self) -> Handler | None:
        """What is told about events without a handler."""
        return self._unhandled

    def _handler(self, function: object, dedupe: Dedupe) -> Handler:
        if not self._is_open:
            raise ConfigurationError(
                "handlers must be registered before the first delivery: import the modules that "
                "register them when the application starts"
            )
        if not callable(function):
            raise ConfigurationError("a handler must be callable: use it as @hooks.on(SaleCreated)")
        if _is(inspect.isgeneratorfunction, function) or _is(inspect.isasyncgenfunction, function):
            raise ConfigurationError("a handler must not yield: calling it would run none of it")
        if not _takes_an_event(function):
            raise ConfigurationError(
                "a handler takes the event and nothing else: it is called as function(event)"
            )
        return Handler(function, is_async_callable(function), dedupe)


def classes_of(family: Family[Any], events: tuple[object, ...]) -> tuple[type[Event], ...]:
    """Return the event classes of ``family`` that names and classes stand for.

    Raises:
        ConfigurationError: one of them is not an event of the family, or there is none.
    """
    if not events:
        raise ConfigurationError(f"name the {family.name} events: on(SaleCreated) or on(name)")
    return tuple(_class_of(family, event) for event in events)


def _class_of(family: Family[Any], event: object) -> type[Event]:
    if isinstance(event, str) and event in family.classes:
        return family.classes[event]
    if isinstance(event, type) and event in family.classes.values():
        return event
    if isinstance(event, type) and issubclass(event, Event):
        raise ConfigurationError(
            f"{event.__module__}.{event.__name__} is not a {family.name} event: webhooks and "
            "postbacks share names but not classes, and unknown events go to on_unhandled"
        )
    named = repr(event) if isinstance(event, str) else "this"
    raise ConfigurationError(
        f"{named} is not a {family.name} event; there are {', '.join(family.classes)}"
    )


def is_async_callable(function: object) -> bool:
    """Tell whether calling ``function`` gives a coroutine."""
    return _is(inspect.iscoroutinefunction, function)


def checked_dedupe(dedupe: Dedupe, *, has_store: bool) -> Dedupe:
    """Return ``dedupe``.

    Raises:
        ConfigurationError: it is misspelt, or nothing could be deduplicated.
    """
    if dedupe not in ("id", "natural"):
        raise ConfigurationError('dedupe must be "id" or "natural"')
    if dedupe == "natural" and not has_store:
        raise ConfigurationError('dedupe="natural" needs a store: Webhooks(secret, store=...)')
    return dedupe


def _takes_an_event(function: Callable[..., object]) -> bool:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True  # some builtins have none
    try:
        signature.bind(None)
    except TypeError:
        return False
    return True


def _is(kind: Callable[[object], bool], function: object) -> bool:
    while isinstance(function, partial):
        function = function.func
    # Calling an object calls its type's method; calling a class makes an object.
    return kind(function) or kind(getattr(type(function), "__call__", None))  # noqa: B004
