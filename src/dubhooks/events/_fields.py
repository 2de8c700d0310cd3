"""The types of fields: what refuses an event, and what is left empty when it does not fit.

Ids and what money moves on refuse.  Everything else describes: a value of another JSON type
gives the field's empty value and is noted as drift, so that no sale is lost over a picture's
address.  Each type is one native union whose last branch is a function.  Of what Dub sends only
metadata, keys that no model knows, and null for text or a list reach Python.
"""

# No ``from __future__ import annotations`` where models are: pydantic would compile each
# annotation again.

from datetime import datetime
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    TypeAlias,
    TypeVar,
    cast,
    get_args,
)

from pydantic import Field
from pydantic_core import PydanticCustomError, PydanticOmit, core_schema

from ._values import (
    Annotation,
    JSONSchema,
    NumberSchema,
    TimestampSchema,
    WholeSchema,
    look_through,
    read_cents,
    read_whole,
    return_unchanged,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

    from ._drift import Drift

__all__ = [
    "JSON",
    "MOST_ITEMS",
    "Cents",
    "Count",
    "Decisive",
    "Filled",
    "Flag",
    "Id",
    "Items",
    "Maybe",
    "Metadata",
    "Number",
    "Open",
    "Text",
    "Timestamp",
    "Whole",
]

MOST_ITEMS: Final = 1_000
"""A longer list is an odd value."""

ValueT = TypeVar("ValueT")


# -- open enumerations ----------------------------------------------------------------------------


class Open(Annotation):
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


# -- what describes -------------------------------------------------------------------------------


class _EmptyWhenOdd:
    """Gives a field its empty value when what was sent does not fit."""

    def __init__(self, empty: "Callable[[], Any]") -> None:
        self._empty = empty

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        return self._or_empty(handler(source), handler.field_name or "")

    def _or_empty(self, fitting: "CoreSchema", field: str) -> "CoreSchema":
        empty = self._empty

        def leave_empty(value: object, info: "core_schema.ValidationInfo") -> Any:
            if value is not None:
                _leave_out(value, info.context, field)
            return empty()

        odd = core_schema.with_info_plain_validator_function(leave_empty)
        union: Any = fitting
        if union["type"] == "union" and union.get("mode") == "left_to_right":
            # One union is quicker than one in another.
            return cast("CoreSchema", {**union, "choices": [*union["choices"], odd]})
        return core_schema.union_schema([fitting, odd], mode="left_to_right")

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        return handler(_first_choice(schema))


class _NoneWhenOdd(_EmptyWhenOdd):
    """Gives a field that may be null ``None`` when what was sent does not fit."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        # What is null, as many fields are, never enters the union.
        nullable: Any = handler(source)
        inner = self._or_empty(nullable["schema"], handler.field_name or "")
        return core_schema.nullable_schema(inner)

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        nullable: Any = schema
        return handler(core_schema.nullable_schema(_first_choice(nullable["schema"])))


def _first_choice(schema: "CoreSchema") -> "CoreSchema":
    union: Any = schema
    first: CoreSchema = union["choices"][0]
    return first


class _ItemsThatFit(_EmptyWhenOdd):
    """A list without the items that do not fit."""

    def _or_empty(self, fitting: "CoreSchema", field: str) -> "CoreSchema":
        items: Any = fitting

        def leave_out(value: object, info: "core_schema.ValidationInfo") -> None:
            _leave_out(value, info.context, field)
            raise PydanticOmit

        item = core_schema.union_schema(
            [items["items_schema"], core_schema.with_info_plain_validator_function(leave_out)],
            mode="left_to_right",
        )
        those_that_fit = core_schema.list_schema(item, strict=True, max_length=MOST_ITEMS)
        return super()._or_empty(those_that_fit, field)

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        items: Any = _first_choice(schema)
        return handler(core_schema.list_schema(_first_choice(items["items_schema"])))


def _leave_out(value: object, drift: "Drift | None", field: str) -> None:
    look_through(value)  # an odd value is tolerated, and what is not JSON is not
    if drift is not None:  # else the model was called by itself, and not by a receiver
        drift.note(field)


def _none() -> None:
    return None


class _MetadataSchema(Annotation):
    json_schema: ClassVar[dict[str, Any]] = {
        "anyOf": [{"type": "object", "additionalProperties": True}, {"type": "null"}]
    }

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        field = handler.field_name or ""

        def read(value: object, info: "core_schema.ValidationInfo") -> Any:
            if value is None or isinstance(value, dict):
                return look_through(value)
            return _leave_out(value, info.context, field)

        return core_schema.with_info_plain_validator_function(
            read, serialization=core_schema.plain_serializer_function_ser_schema(return_unchanged)
        )


class _NullIsEmpty:
    """Text that refuses another type; ``null`` is no text."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        return core_schema.union_schema(
            [handler(source), core_schema.no_info_plain_validator_function(_read_null)],
            mode="left_to_right",
        )

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        return handler(_first_choice(schema))


def _read_null(value: object) -> str:
    if value is None:
        return ""
    raise PydanticCustomError("string_type", "Input should be a valid string")


Timestamp = Annotated[datetime, TimestampSchema()]
"""An aware UTC ``datetime``, written as Dub writes dates: ``2025-02-03T09:35:57.926Z``."""

Whole = Annotated[int, WholeSchema(read_whole)]
"""A whole number that refuses.  A string or a boolean in its place is never converted."""

Cents = Annotated[int, WholeSchema(read_cents)]
"""An amount in cents that refuses; a fraction of a cent is rounded as JavaScript rounds it."""

Number = Annotated[int | float, NumberSchema()]
"""A JSON number: an ``int`` when it is written as one, else a finite ``float``."""

Id = Annotated[str, Field(min_length=1)]
"""An id that a payment depends on.  Never empty: two payments would count as one."""

Maybe = Annotated[ValueT | None, _NoneWhenOdd(_none)]
"""What describes and may be absent: ``None`` also for a value that does not fit."""

Filled = Annotated[ValueT, _EmptyWhenOdd(str)]
"""An open enumeration that describes: empty when Dub did not send it."""

Text = Filled[str]
"""Text that describes: empty when Dub did not send it."""

Decisive = Annotated[ValueT, _NullIsEmpty()]
"""Text that refuses another type: empty when Dub did not send it."""

Metadata = Annotated[dict[str, Any] | None, _MetadataSchema()]
"""What the caller of Dub's API passed along, as it is."""

Flag = Annotated[bool, Field(strict=True), _EmptyWhenOdd(bool)]
"""A flag that describes: false when Dub did not send it."""

Count = Annotated[int, WholeSchema(read_whole), _EmptyWhenOdd(int)]
"""A counter or a sum that describes: 0 when Dub did not send it."""

Items = Annotated[list[ValueT], _ItemsThatFit(list)]
"""A list, never ``None``; without the items that do not fit."""

if TYPE_CHECKING:
    JSON: TypeAlias = Any
    """Any JSON value."""
else:
    JSON = Annotated[Any, JSONSchema()]
