"""A family of events: its names, its classes and its parser."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any, Generic, Protocol, TypeVar, Union, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from .._body import Request
from ..errors import (
    DubhooksError,
    InvalidEnvelope,
    InvalidEvent,
    InvalidJSON,
    PayloadError,
    Problem,
)
from ..payload import NOT_JSON, is_payout_like, read_document, write_document
from ..signature import check_body
from ._base import WIRE, Event
from ._drift import Drift
from .unknown import UnknownEvent

EventT = TypeVar("EventT", bound=Event)
EventT_co = TypeVar("EventT_co", bound=Event, covariant=True)


class Parser(Protocol[EventT_co]):
    """The type of ``parse``."""

    def __call__(self, body: bytes) -> EventT_co:
        """Return the typed event in ``body``; see :meth:`Family.parse`."""
        ...


class Family(Generic[EventT]):
    """The webhook events or the postback events."""

    def __init__(self, name: str, events: object) -> None:
        """Describe a family.

        Args:
            name: ``webhook`` or ``postback``.
            events: the union of its classes, which is the one list of them.
        """
        self.name = name
        self.classes: dict[str, type[Event]] = {
            event_name: cls for cls in get_args(events) for event_name in event_names_of(cls)
        }
        """Name on the wire → class."""
        self._drift = Drift(name)

    def __repr__(self) -> str:
        return f"<Family {self.name}: {len(self.classes)} event names>"

    @cached_property
    def _parse(self) -> Callable[..., EventT]:
        # Built with the first event, so that an import costs nothing.
        classes = tuple(dict.fromkeys(self.classes.values()))
        tagged: Any = Annotated[Union[classes], Field(discriminator="event")]  # noqa: UP007
        # Some versions of pydantic defer the adapter too when its models defer theirs.
        config = ConfigDict(cache_strings="none", defer_build=False, hide_input_in_errors=True)
        adapter: TypeAdapter[EventT] = TypeAdapter(tagged, config=config)
        return adapter.validator.validate_json

    def warm_up(self) -> None:
        """Build the parser now (some 20 ms) instead of with the first event."""
        _ = self._parse

    def parse(self, body: bytes) -> EventT:
        """Return the typed event in ``body``, an ``UnknownEvent`` if this version has no model.

        The signature is not verified: see :meth:`dubhooks.Webhooks.unwrap`.

        Args:
            body: the raw request body.

        Raises:
            BodyEmpty: it has no bytes.
            InvalidJSON: it is not JSON.
            InvalidEnvelope: it is JSON but not an event.
            InvalidEvent: the event does not fit its model.
            ConfigurationError: ``body`` is not bytes.
        """
        request = Request(body, ())
        del body  # error trackers send the variables of a frame that raises
        error = check_body(request)
        event = self.read(request.body) if error is None else error
        if isinstance(event, DubhooksError):
            raise event
        return event

    def read(self, body: bytes) -> EventT | PayloadError:
        """Return the event, or the error that :meth:`parse` would raise."""
        try:
            event = self._parse(body, context=self._drift)
        except ValidationError:
            # It holds the input, so it must not become the context of our error.
            event = None
        if event is None:
            try:
                event = self._parse_carefully(body)
            except PayloadError as error:
                return error.with_traceback(None)
        # The only write to a frozen model, before anybody else has seen it.
        vars(event)[WIRE] = body
        return event

    def _parse_carefully(self, body: bytes) -> Any:
        document = read_document(body)
        envelope = _validated(UnknownEvent, document, self._drift)
        if isinstance(envelope, tuple):
            fields = ", ".join(problem.path for problem in envelope)
            raise InvalidEnvelope(f"the JSON is not an event: check {fields}")
        cls = self.classes.get(envelope.event)
        if cls is None:
            return envelope
        cls.mend_old_shape(document["data"])
        event = _validated(cls, document, self._drift)
        if isinstance(event, tuple):
            payout_like = is_payout_like(envelope.event, document["data"])
            raise InvalidEvent(envelope.event, envelope.id, event, payout_like)
        return event


def event_names_of(cls: type[Event]) -> tuple[str, ...]:
    """Return the names on the wire that ``cls`` serves."""
    names: tuple[str, ...] = get_args(cls.model_fields["event"].annotation)
    return names


def _validated(
    cls: type[EventT], document: dict[str, Any], drift: Drift
) -> EventT | tuple[Problem, ...]:
    try:
        return cls.model_validate_json(write_document(document), context=drift)
    except ValidationError as error:
        problems = _problems(error)
    if problems[0].problem == "json_invalid":
        # Python's parser accepts it and the native one does not: it is nested too deep.
        raise InvalidJSON(NOT_JSON)
    return problems


def _problems(error: ValidationError) -> tuple[Problem, ...]:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return tuple(Problem(".".join(map(str, one["loc"])), one["type"]) for one in details)
