"""Making an event of any name, and those that this version does not know."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from .. import webhooks
from .._samples._sample import Sample
from .._samples._stringify import stringify
from ..errors import ConfigurationError
from ..events.unknown import UnknownEvent
from ._overrides import apply_overrides

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from ..events._base import Event
    from ..events._family import Family

    Paths: TypeAlias = Mapping[str, object] | None
    Seed: TypeAlias = int | None

__all__ = ["Changes", "check_name", "made", "make_unknown_event"]

EventT = TypeVar("EventT", bound="Event")


class Changes(NamedTuple):
    """What a caller wants to be other than in the sample; see ``make_event``."""

    paths: Paths
    overrides: Mapping[str, object]
    add: Paths


def check_name(name: object, family: Family[Any]) -> None:
    """Raise ``ConfigurationError`` unless ``name`` is an event of ``family``."""
    if isinstance(name, str) and name in family.classes:
        return
    close = get_close_matches(str(name), family.classes)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "is it misspelt?"
    if isinstance(name, str) and name in webhooks.family.classes:
        hint = "make_event makes webhook events."
    raise ConfigurationError(
        f"no {family.name} event is called {name!r}: {hint} "
        "An event that this version does not know is made with make_unknown_event"
    )


def made(
    family: Family[EventT],
    name: str,
    sample: Sample,
    build: Callable[[Sample], object],
    changes: Changes,
) -> EventT:
    """Return a sample event, changed."""
    document: dict[str | int, object] = {
        "id": sample.event_id(),
        "event": name,
        "createdAt": sample.created_at,
        "data": build(sample),
    }
    model = family.classes.get(name, UnknownEvent)
    apply_overrides(document, model, changes.paths, changes.overrides, changes.add)
    return family.parse(stringify(document))


def make_unknown_event(
    name: str,
    paths: Paths = None,
    /,
    *,
    add: Paths = None,
    seed: Seed = None,
    **overrides: object,
) -> UnknownEvent:
    """Return an event that this version does not know, as Dub may send it one day.

    It serves webhooks and postbacks alike.  ``data`` is empty unless given;
    everything else is as with :func:`make_event`.

    Raises:
        ConfigurationError: ``name`` is known, or an override cannot be applied.
        InvalidEnvelope: the changed event does not parse.
    """
    if not isinstance(name, str) or not name:
        raise ConfigurationError("the name of an event must be text, and not empty")
    if name in webhooks.family.classes:
        raise ConfigurationError(f"{name!r} is known: use make_event or make_postback")
    sample = Sample(f"unknown:{name}", seed)
    event = made(webhooks.family, name, sample, lambda _: {}, Changes(paths, overrides, add))
    return cast("UnknownEvent", event)
