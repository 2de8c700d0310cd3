"""The base of every model: it tolerates new data, loses nothing, and hides data in ``repr``.

The settings follow measurements: ``extra="allow"`` and ``frozen`` cost almost
nothing, ``cache_strings="none"`` is a fifth faster on bodies that do not repeat,
and no Python code runs per field on a body in the shape that Dub sends.
"""

# No ``from __future__ import annotations`` where models are: pydantic would compile each
# annotation again.

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError, core_schema
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema
    from typing_extensions import Self

__all__ = [
    "JSON",
    "VALIDATION",
    "WIRE",
    "Count",
    "Event",
    "Id",
    "Integer",
    "Items",
    "Model",
    "Number",
    "Open",
    "Rate",
    "Statistic",
    "Timestamp",
    "key_of",
]

WIRE = "_wire"
"""The attribute that holds the bytes an event was parsed from.  It is not a field, so copies and
pickles keep it and comparisons ignore it."""

VALIDATION = ConfigDict(
    extra="allow",
    frozen=True,
    defer_build=True,
    cache_strings="none",
    hide_input_in_errors=True,
)


class _Annotation:
    """Base of the annotations that give a field its own core schema."""

    json_schema: ClassVar[dict[str, Any]] = {}

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        return dict(self.json_schema)


class _TimestampSchema(_Annotation):
    json_schema: ClassVar[dict[str, Any]] = {"type": "string", "format": "date-time"}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> "CoreSchema":
        # The first branch takes the shape that Dub sends, and stays in native code.
        return core_schema.union_schema(
            [
                core_schema.datetime_schema(tz_constraint=0),
                core_schema.no_info_after_validator_function(
                    _as_utc, core_schema.datetime_schema()
                ),
            ],
            mode="left_to_right",
            serialization=core_schema.plain_serializer_function_ser_schema(
                _wire_date, when_used="json"
            ),
        )


def _as_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=timezone.utc)
    try:
        return value.astimezone(timezone.utc)
    except OverflowError:
        # In some zones the first and the last hours of the calendar have no UTC time.
        raise PydanticCustomError("datetime_range", "Input is out of range in UTC") from None


def _wire_date(value: datetime) -> str:
    utc = _as_utc(value).replace(tzinfo=None)
    return (
        utc.isoformat(timespec="microseconds" if utc.microsecond % 1000 else "milliseconds") + "Z"
    )


class _JSONValue:
    """Any JSON value.  NaN and Infinity, which ``1e999`` becomes, are not JSON and refused."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> "CoreSchema":
        # A type and not an annotation: only a type's schema may refer to itself.
        this = core_schema.definition_reference_schema("dubhooks-json")
        value = core_schema.union_schema(
            [
                core_schema.str_schema(strict=True),
                core_schema.none_schema(),
                core_schema.bool_schema(strict=True),
                core_schema.int_schema(strict=True),
                core_schema.float_schema(strict=True, allow_inf_nan=False),
                core_schema.dict_schema(core_schema.str_schema(), this),
                core_schema.list_schema(this),
            ],
            mode="left_to_right",
            ref="dubhooks-json",
            serialization=core_schema.plain_serializer_function_ser_schema(_unchanged),
        )
        return core_schema.definitions_schema(this, [value])

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        return {}


def _unchanged(value: Any) -> Any:
    return value


class _IntegerSchema(_Annotation):
    json_schema: ClassVar[dict[str, Any]] = {"type": "integer"}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> "CoreSchema":
        return core_schema.int_schema(strict=True)


class _NumberSchema(_Annotation):
    json_schema: ClassVar[dict[str, Any]] = {"type": "number"}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> "CoreSchema":
        # JavaScript writes 1.0 as 1.  The integer comes first, so that a large one stays exact.
        return core_schema.union_schema(
            [
                core_schema.int_schema(strict=True),
                core_schema.float_schema(strict=True, allow_inf_nan=False),
            ],
            mode="left_to_right",
        )


class Statistic:
    """Marks a number that moves no money: a value of another type does not refuse the event.

    The attribute is then ``None``, and the value is in ``model_extra``.
    """


class Open(_Annotation):
    """Marks a ``Literal[...] | str``: the values that are known today, and any other text."""

    def __init__(self) -> None:
        self._known: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> "CoreSchema":
        literal, _ = get_args(source)
        self._known = get_args(literal)
        return core_schema.str_schema(strict=True)

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        return {"anyOf": [{"enum": list(self._known)}, {"type": "string"}]}


class _ItemsSchema:
    """A list; ``null`` becomes an empty one."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        items = handler(source)
        return core_schema.union_schema(
            [items, core_schema.no_info_plain_validator_function(_empty_for_null)],
            mode="left_to_right",
        )

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        items: Any = schema
        return handler(items["choices"][0])


def _empty_for_null(value: object) -> list[Any]:
    if value is None:
        return []
    raise PydanticCustomError("list_type", "Input should be a valid list")


ItemT = TypeVar("ItemT")

Timestamp = Annotated[datetime, _TimestampSchema()]
"""An aware UTC ``datetime``, written as Dub writes dates: ``2025-02-03T09:35:57.926Z``."""

Integer = Annotated[int, _IntegerSchema()]
"""A whole number.  A string or a boolean in its place is refused, never converted."""

Number = Annotated[int | float, _NumberSchema()]
"""A JSON number: an ``int`` when it is written as one, else a finite ``float``."""

Count = Annotated[int, _IntegerSchema(), Statistic()]
"""A counter or a sum."""

Rate = Annotated[int | float, _NumberSchema(), Statistic()]
"""An average or a share."""

Id = Annotated[str, Field(min_length=1)]
"""An id that a payment depends on.  Never empty: two payments would count as one."""

if TYPE_CHECKING:
    JSON: TypeAlias = Any
    """Any JSON value."""
else:
    JSON = _JSONValue

Items = Annotated[list[ItemT], _ItemsSchema()]
"""A list, never ``None``."""


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

    model_config = VALIDATION

    if not TYPE_CHECKING:
        # Hidden from type checkers, which would take it for an argument of every model.
        __pydantic_extra__: dict[str, JSON]

    __shown__: ClassVar[tuple[str, ...]] = ("id",)
    """The fields that identify the object, for ``repr`` and ``hash``."""

    def __hash__(self) -> int:
        # Not pydantic's, which hashes every field and fails on lists and dicts.
        return hash((type(self), *[getattr(self, name, None) for name in self.__shown__]))

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
