"""The base of every model: it tolerates new data, loses nothing, and hides data in ``repr``.

The settings follow measurements: ``extra="allow"`` and ``frozen`` cost almost
nothing, ``cache_strings="none"`` is a fifth faster on bodies that do not repeat,
and hardly any Python code runs for the fields of a body in the shape that Dub sends.
"""

# No ``from __future__ import annotations`` where models are: pydantic would compile each
# annotation again.

from typing import TYPE_CHECKING, Any, ClassVar, Final, get_args

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import override

from ._fields import JSON, Timestamp
from ._schema import describe_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema
    from typing_extensions import Self

WIRE = "_wire"
"""The attribute that holds the bytes an event was parsed from.  It is not a field, so copies and
pickles keep it and comparisons ignore it."""

_SEPARATOR: Final = str.maketrans({"%": "%25", ":": "%3A"})


def key_of(kind: str, *ids: str, text: str | None = None) -> str | None:
    """Build a natural key.

    Args:
        kind: its first part, such as ``payout``.
        ids: its other parts; an empty one gives ``None``, no key.
        text: a last part that is free text, and may be empty.
    """
    if not all(ids):
        return None
    *first, last = ids if text is None else (*ids, text)
    return ":".join([kind, *[part.translate(_SEPARATOR) for part in first], last])


class Model(BaseModel, frozen=True):
    """An immutable object of a payload.

    Keys that this version does not know are in ``model_extra``.  ``repr`` shows
    what identifies the object, and no personal data.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow",
        frozen=True,
        populate_by_name=True,
        defer_build=True,
        cache_strings="none",
        hide_input_in_errors=True,
    )

    if not TYPE_CHECKING:
        # Hidden from type checkers, which would take it for an argument of every model.
        __pydantic_extra__: dict[str, JSON]

    __shown__: ClassVar[tuple[str, ...]] = ("id",)
    """The fields that identify the object, for ``repr`` and ``hash``."""

    def __hash__(self) -> int:
        # Not pydantic's, which hashes every field and fails on lists and dicts.
        return hash((type(self), *[getattr(self, name, None) for name in self.__shown__]))

    @classmethod
    @override
    def __get_pydantic_json_schema__(
        cls, core_schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        schema = handler(core_schema)
        describe_fields(cls, handler.resolve_ref_schema(schema)["properties"])
        return schema

    def __repr_args__(self) -> "Iterable[tuple[str | None, Any]]":
        for name in self.__shown__:
            value = getattr(self, name, None)
            if value is not None:
                yield name, value


class Event(Model, frozen=True):
    """One webhook or postback event: the envelope that all of them have."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "event")
    __family__: ClassVar[str] = "webhook"

    id: str = Field(min_length=1)
    """Dub's id of this event, ``evt_…``; every retry has the same."""

    event: str
    """The event's name."""

    created_at: Timestamp = Field(alias="createdAt")
    """When Dub built this payload, not when it delivered it."""

    data: Any
    """What happened; typed by each event."""

    @property
    def natural_key(self) -> str | None:
        """The business identity of an event that Dub may send again under a new id.

        For example ``payout:po_123``; ``dedupe="natural"`` uses it.  ``None`` when the
        event has no such identity, or an id in it is empty.  Before the last part
        ``:`` is written ``%3A`` and ``%`` is written ``%25``, so no two keys collide.
        """
        return None

    @classmethod
    def mend_old_shape(cls, data: Any) -> None:
        """Change ``data`` of an older shape to today's.

        Called only for an event that the native parser refused.

        Args:
            data: the event's ``data`` as plain JSON, changed in place.
        """

    def to_json(self) -> bytes:
        """Return the event as JSON: the exact bytes that it was parsed from.

        A changed copy (``model_copy``) is serialised instead: unknown keys stay,
        absent ones stay absent, and dates look as Dub writes them.
        """
        wire: bytes | None = vars(self).get(WIRE)
        if wire is None:
            return self.model_dump_json(by_alias=True, exclude_unset=True).encode()
        return wire

    @override
    def model_copy(
        self, *, update: "Mapping[str, Any] | None" = None, deep: bool = False
    ) -> "Self":
        """Return a copy.

        Args:
            update: new values by field name; they are not validated.
            deep: copy the objects inside as well.
        """
        copied = super().model_copy(update=dict(update) if update else None, deep=deep)
        if update:
            vars(copied).pop(WIRE, None)
        return copied


def model_in(annotation: Any) -> type[Model] | None:
    """Return the model in an annotation: alone, optional or in a list."""
    arguments = get_args(annotation)
    if arguments:
        return next(filter(None, map(model_in, arguments)), None)
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    return None
