"""What every model shares: tolerance, losslessness and silence in ``repr``.

The settings follow measurements: ``extra="allow"`` and ``frozen`` are nearly
free, ``cache_strings="none"`` is a fifth faster on bodies that do not repeat,
and no Python code runs per field on a body of the shape that Dub sends.
"""

# No postponed annotations in the modules of models: pydantic would compile each one again.

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
"""Where an event keeps the bytes it was parsed from.  Beside the fields, where copies and pickles
take it along and comparing leaves it out."""

VALIDATION = ConfigDict(
    extra="allow",
    frozen=True,
    defer_build=True,
    cache_strings="none",
    hide_input_in_errors=True,
)


class _Annotation:
    """An annotation that gives a field a core schema of its own."""

    json_schema: ClassVar[dict[str, Any]] = {}

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        return dict(self.json_schema)


class _TimestampSchema(_Annotation):
    json_schema: ClassVar[dict[str, Any]] = {"type": "string", "format": "date-time"}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> "CoreSchema":
        # The first branch is the shape that Dub sends and stays in native code.
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
        # The first and the last hours of the calendar have no UTC time in some zones.
        raise PydanticCustomError("datetime_range", "Input is out of range in UTC") from None


def _wire_date(value: datetime) -> str:
    utc = _as_utc(value).replace(tzinfo=None)
    return (
        utc.isoformat(timespec="microseconds" if utc.microsecond % 1000 else "milliseconds") + "Z"
    )


class _JSONValue:
    """Any JSON value but NaN and Infinity, which JSON does not have and 1e999 turns into."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> "CoreSchema":
        # A type, not an annotation: only a type's schema may define a reference to itself.
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
        # JavaScript writes 1.0 as 1, and an integer that a float cannot hold stays exact.
        return core_schema.union_schema(
            [
                core_schema.int_schema(strict=True),
                core_schema.float_schema(strict=True, allow_inf_nan=False),
            ],
            mode="left_to_right",
        )


class Statistic:
    """Marks a number that no money moves on: a value of another type refuses no event.

    The attribute is then ``None``, and the value is kept in ``model_extra``.
    """


class Open(_Annotation):
    """Marks a ``Literal[...] | str``: the values known today, and any other."""

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
    """A list; ``null`` in its place gives an empty one."""

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
"""A whole number.  A string or a boolean in its place is refused, not guessed at."""

Number = Annotated[int | float, _NumberSchema()]
"""A JSON number: ``int`` when written as one, else a finite ``float``."""

Count = Annotated[int, _IntegerSchema(), Statistic()]
"""A counter, or the sum of what was counted."""

Rate = Annotated[int | float, _NumberSchema(), Statistic()]
"""An average or a share."""

Id = Annotated[str, Field(min_length=1)]
"""The id that money is moved by; an empty one would make two payments one."""

if TYPE_CHECKING:
    JSON: TypeAlias = Any
    """Any JSON value."""
else:
    JSON = _JSONValue

Items = Annotated[list[ItemT], _ItemsSchema()]
"""A list, never ``None``."""


_SEPARATOR: Final = str.maketrans({"%": "%25", ":": "%3A"})


def key_of(kind: str, *ids: str, text: str | None = None) -> str | None:
    """Return the natural key of what these ids, and free text, stand for."""
    if not all(ids):
        return None
    *first, last = ids if text is None else (*ids, text)
    return ":".join([kind, *[part.translate(_SEPARATOR) for part in first], last])


class Model(BaseModel, frozen=True):
    """An immutable object of a payload.

    Keys that this version does not know are kept in ``model_extra``.  ``repr``
    shows what identifies an object and nothing about a person.
    """

    model_config = VALIDATION

    if not TYPE_CHECKING:
        # Hidden from type checkers, which take it for an argument of every model.
        __pydantic_extra__: dict[str, JSON]

    __shown__: ClassVar[tuple[str, ...]] = ("id",)
    """The fields that say which object it is: for ``repr``, and for ``hash``."""

    def __hash__(self) -> int:
        # Not pydantic's, which hashes every field and fails for lists and objects in them.
        return hash((type(self), *[getattr(self, name, None) for name in self.__shown__]))

    def __repr_args__(self) -> "Iterable[tuple[str | None, Any]]":
        for name in self.__shown__:
            value = getattr(self, name, None)
            if value is not None:
                yield name, value


class Event(Model, frozen=True):
    """One webhook or postback event: the envelope that all of them share."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "event")
    __family__: ClassVar[str] = "webhook"

    id: str = Field(min_length=1)
    """Dub's id of this event, ``evt_…``, the same for every retry of it."""

    event: str
    """The event's name."""

    created_at: Timestamp = Field(alias="createdAt")
    """When Dub built this payload; not when it was delivered."""

    data: Any
    """What happened; typed by each event."""

    @property
    def natural_key(self) -> str | None:
        """What happened, when Dub may send it again under a new event id, else ``None``.

        For example ``payout:po_123``; see ``dedupe="natural"``.  Of several ids
        those before the last part are written with ``%3A`` for a colon and
        ``%25`` for a percent sign, so that no two things share a key.  An
        event with an empty id has none.
        """
        return None

    @classmethod
    def mend_old_shape(cls, data: Any) -> None:
        """Change ``data`` of an older shape to today's; called only when it does not fit."""

    def to_json(self) -> bytes:
        """Return the event as JSON: the very bytes that it was parsed from.

        A changed copy (``model_copy``) is written anew, with unknown keys,
        without absent ones, and with dates as Dub writes them.
        """
        wire: bytes | None = vars(self).get(WIRE)
        if wire is None:
            return self.model_dump_json(by_alias=True, exclude_unset=True).encode()
        return wire

    @override
    def model_copy(
        self, *, update: "Mapping[str, Any] | None" = None, deep: bool = False
    ) -> "Self":
        """Return a copy, with ``update`` in place of fields of that name (not validated)."""
        copied = super().model_copy(update=dict(update) if update else None, deep=deep)
        if update:
            vars(copied).pop(WIRE, None)
        return copied
