"""Single values: how numbers, dates and free JSON are read, and refused."""

# No ``from __future__ import annotations``: pydantic reads annotations at run time.

from datetime import datetime, timezone
from math import floor, isfinite
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ValidationError
from pydantic_core import PydanticCustomError, SchemaValidator, core_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

__all__ = [
    "Annotation",
    "JSONSchema",
    "NumberSchema",
    "TimestampSchema",
    "WholeSchema",
    "look_through",
    "read_cents",
    "read_whole",
    "return_unchanged",
]


class Annotation:
    """Base of the annotations that give a field its own core schema."""

    json_schema: ClassVar[dict[str, Any]] = {}

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        return dict(self.json_schema)


# -- numbers --------------------------------------------------------------------------------------


def read_whole(value: object) -> int:
    # JavaScript writes 5.0 as 5, other languages do not.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise PydanticCustomError("int_type", "Input should be a valid integer")


def read_cents(value: object) -> int:
    # Half a cent goes up, as with Math.round in JavaScript.
    if isinstance(value, float) and isfinite(value):
        return floor(value) + (value - floor(value) >= 0.5)
    raise PydanticCustomError("int_type", "Input should be a valid integer")


class WholeSchema(Annotation):
    json_schema: ClassVar[dict[str, Any]] = {"type": "integer"}

    def __init__(self, read: "Callable[[object], int]") -> None:
        self._read = read

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> "CoreSchema":
        return core_schema.union_schema(
            [
                core_schema.int_schema(strict=True),
                core_schema.no_info_plain_validator_function(self._read),
            ],
            mode="left_to_right",
        )


class NumberSchema(Annotation):
    json_schema: ClassVar[dict[str, Any]] = {"type": "number"}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> "CoreSchema":
        # The integer comes first, so that a large one stays exact.
        return core_schema.union_schema(
            [
                core_schema.int_schema(strict=True),
                core_schema.float_schema(strict=True, allow_inf_nan=False),
            ],
            mode="left_to_right",
        )


# -- dates ----------------------------------------------------------------------------------------


def _as_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=timezone.utc)
    try:
        return value.astimezone(timezone.utc)
    except OverflowError:
        # In some zones the first and the last hours of the calendar have no UTC time.
        raise PydanticCustomError("datetime_range", "Input is out of range in UTC") from None


_ANY_DATE = SchemaValidator(core_schema.datetime_schema())


def _read_date(value: object) -> datetime:
    if isinstance(value, (str, datetime)):
        try:
            return _as_utc(_ANY_DATE.validate_python(value))
        except ValidationError:
            pass  # it quotes the value
    raise PydanticCustomError("datetime_type", "Input should be a valid datetime")


def _write_date(value: datetime) -> str:
    utc = _as_utc(value).replace(tzinfo=None)
    return (
        utc.isoformat(timespec="microseconds" if utc.microsecond % 1000 else "milliseconds") + "Z"
    )


class TimestampSchema(Annotation):
    json_schema: ClassVar[dict[str, Any]] = {"type": "string", "format": "date-time"}

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> "CoreSchema":
        # The first branch takes the shape that Dub sends.
        return core_schema.union_schema(
            [
                core_schema.datetime_schema(tz_constraint=0, strict=True),
                core_schema.no_info_plain_validator_function(_read_date),
            ],
            mode="left_to_right",
            serialization=core_schema.plain_serializer_function_ser_schema(
                _write_date, when_used="json"
            ),
        )


# -- free JSON ------------------------------------------------------------------------------------


def look_through(value: Any) -> Any:
    """Return free JSON as it is.

    NaN and Infinity, which ``1e999`` becomes, are not JSON and refused.
    """
    seen = [value]
    for item in seen:  # it grows meanwhile: as deep as the value is, nothing calls itself
        kind: object = item.__class__
        if kind is dict:
            seen.extend(item.values())
        elif kind is list:
            seen.extend(item)
        elif kind is float and not isfinite(item):
            raise PydanticCustomError("finite_number", "Input should be a finite number")
    return value


class JSONSchema(Annotation):
    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> "CoreSchema":
        return core_schema.no_info_plain_validator_function(
            look_through,
            serialization=core_schema.plain_serializer_function_ser_schema(return_unchanged),
        )


def return_unchanged(value: Any) -> Any:
    return value
