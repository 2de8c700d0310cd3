"""The types of fields: what refuses an event, and what is left empty when it does not fit.

Ids and what money moves on refuse.  Everything else describes: a value of another JSON type
gives the field's empty value and is noted as drift, so that no sale is lost over a picture's
address.  Each type is one native union whose last branch is a function.  Of what Dub sends only
metadata, keys that no model knows, and null for text or a list reach Python.
"""

# No ``from __future__ import annotations`` where models are: pydantic would compile each
# annotation again.

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, TypeVar, cast, get_args

from pydantic import Field, GetPydanticSchema
from pydantic_core import PydanticOmit, core_schema

from ._values import (
    look_through,
    make_json_schema,
    make_number_schema,
    make_timestamp_schema,
    read_cents,
    read_integers_with,
    read_whole,
    return_unchanged,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

    from ._drift import Drift

MOST_ITEMS: Final = 1_000
"""A longer list is an odd value."""

ValueT = TypeVar("ValueT")


class Open:
    """Marks a ``Literal[...] | str``: the values that are known today, and any other text."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        known, _ = get_args(source)
        return core_schema.union_schema(
            [handler.generate_schema(known), core_schema.str_schema(strict=True)],
            mode="left_to_right",
        )


# -- what describes -------------------------------------------------------------------------------

# A JSON Schema leaves out the branches of a union that are functions.


def _or_empty(
    fitting: "CoreSchema", handler: "GetCoreSchemaHandler", empty: "Callable[[], Any]"
) -> "CoreSchema":
    field = handler.field_name or ""

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


def _leave_out(value: object, drift: "Drift | None", field: str) -> None:
    look_through(value)  # an odd value is tolerated, and what is not JSON is not
    if drift is not None:  # else the model was called by itself, and not by a receiver
        drift.note(field)


def _empty_when_odd(empty: "Callable[[], Any]") -> GetPydanticSchema:
    return GetPydanticSchema(lambda source, handler: _or_empty(handler(source), handler, empty))


def _none_when_odd(source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
    # What is null, as many fields are, never enters the union.
    nullable: Any = handler(source)
    return core_schema.nullable_schema(_or_empty(nullable["schema"], handler, lambda: None))


def _items_that_fit(source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
    items: Any = handler(source)
    field = handler.field_name or ""

    def leave_out(value: object, info: "core_schema.ValidationInfo") -> None:
        _leave_out(value, info.context, field)
        raise PydanticOmit

    item = core_schema.union_schema(
        [items["items_schema"], core_schema.with_info_plain_validator_function(leave_out)],
        mode="left_to_right",
    )
    those_that_fit = core_schema.list_schema(item, strict=True, max_length=MOST_ITEMS)
    return _or_empty(those_that_fit, handler, list)


def _read_metadata(_source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
    field = handler.field_name or ""

    def read(value: object, info: "core_schema.ValidationInfo") -> Any:
        if value is None or isinstance(value, dict):
            return look_through(value)
        return _leave_out(value, info.context, field)

    return core_schema.with_info_plain_validator_function(
        read, serialization=core_schema.plain_serializer_function_ser_schema(return_unchanged)
    )


def _null_is_empty(source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
    return core_schema.union_schema(
        [handler(source), core_schema.no_info_plain_validator_function(_read_null)],
        mode="left_to_right",
        custom_error_type="string_type",
    )


def _read_null(value: object) -> str:
    if value is None:
        return ""
    raise ValueError


Timestamp = Annotated[
    datetime,
    GetPydanticSchema(
        make_timestamp_schema, lambda _schema, _handler: {"type": "string", "format": "date-time"}
    ),
]
"""An aware UTC ``datetime``, written as Dub writes dates: ``2025-02-03T09:35:57.926Z``."""

Whole = Annotated[int, read_integers_with(read_whole)]
"""A whole number that refuses.  A string or a boolean in its place is never converted."""

Cents = Annotated[int, read_integers_with(read_cents)]
"""An amount in cents that refuses; a fraction of a cent is rounded as JavaScript rounds it."""

Number = Annotated[
    int | float, GetPydanticSchema(make_number_schema, lambda _schema, _handler: {"type": "number"})
]
"""A JSON number: an ``int`` when it is written as one, else a finite ``float``."""

OpenEnum = Annotated[ValueT | str, Open()]
"""An open enumeration: ``OpenEnum[Literal[...]]``."""

Id = Annotated[str, Field(min_length=1)]
"""An id that a payment depends on.  Never empty: two payments would count as one."""

Maybe = Annotated[ValueT | None, GetPydanticSchema(_none_when_odd)]
"""What describes and may be absent: ``None`` also for a value that does not fit."""

Filled = Annotated[ValueT, _empty_when_odd(str)]
"""An open enumeration that describes: empty when Dub did not send it."""

Text = Filled[str]
"""Text that describes: empty when Dub did not send it."""

Decisive = Annotated[ValueT, GetPydanticSchema(_null_is_empty)]
"""Text that refuses another type: empty when Dub did not send it."""

Metadata = Annotated[
    dict[str, Any] | None,
    GetPydanticSchema(
        _read_metadata, lambda _schema, _handler: {"anyOf": [{"type": "object"}, {"type": "null"}]}
    ),
]
"""What the caller of Dub's API passed along, as it is."""

Flag = Annotated[bool, Field(strict=True), _empty_when_odd(bool)]
"""A flag that describes: false when Dub did not send it."""

Count = Annotated[Whole, _empty_when_odd(int)]
"""A counter or a sum that describes: 0 when Dub did not send it."""

Items = Annotated[list[ValueT], GetPydanticSchema(_items_that_fit)]
"""A list, never ``None``; without the items that do not fit."""

if TYPE_CHECKING:
    JSON: TypeAlias = Any
    """Any JSON value."""
else:
    JSON = Annotated[Any, GetPydanticSchema(make_json_schema, lambda _schema, _handler: {})]
