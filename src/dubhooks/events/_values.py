"""Single values: how numbers, dates and free JSON are read, and refused."""

# No ``from __future__ import annotations``: pydantic reads annotations at run time.

import re
from datetime import datetime, timezone
from math import floor, isfinite
from typing import TYPE_CHECKING, Any

from pydantic import GetPydanticSchema, ValidationError
from pydantic_core import SchemaValidator, core_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_core import CoreSchema

# Every call makes a schema of its own, because pydantic writes into it.


# -- numbers --------------------------------------------------------------------------------------


def read_integers_with(read: "Callable[[object], int]") -> GetPydanticSchema:
    return GetPydanticSchema(
        lambda _source, _handler: core_schema.union_schema(
            [
                core_schema.int_schema(strict=True),
                core_schema.no_info_plain_validator_function(read),
            ],
            mode="left_to_right",
            custom_error_type="int_type",
        )
    )


def read_whole(value: object) -> int:
    # JavaScript writes 5.0 as 5, other languages do not.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise ValueError


def read_cents(value: object) -> int:
    # Half a cent goes up, as with Math.round in JavaScript.
    if isinstance(value, float) and isfinite(value):
        return floor(value) + (value - floor(value) >= 0.5)
    raise ValueError


def make_number_schema(_source: object, _handler: object) -> "CoreSchema":
    # The integer comes first, so that a large one stays exact.
    return core_schema.union_schema(
        [
            core_schema.int_schema(strict=True),
            core_schema.float_schema(strict=True, allow_inf_nan=False),
        ],
        mode="left_to_right",
    )


# -- dates ----------------------------------------------------------------------------------------


def make_timestamp_schema(_source: object, _handler: object) -> "CoreSchema":
    # The first branch takes the shape that Dub sends.  pydantic reads text of digits as seconds
    # since 1970; with a colon in it, text is no number.
    text = core_schema.str_schema(strict=True, pattern=":")
    return core_schema.union_schema(
        [
            core_schema.chain_schema([text, core_schema.datetime_schema(tz_constraint=0)]),
            core_schema.no_info_plain_validator_function(_read_date),
        ],
        mode="left_to_right",
        custom_error_type="datetime_type",
        serialization=core_schema.plain_serializer_function_ser_schema(
            _write_date, when_used="json"
        ),
    )


def _as_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=timezone.utc)
    try:
        return value.astimezone(timezone.utc)
    except OverflowError:
        # In some zones the first and the last hours of the calendar have no UTC time.
        raise ValueError("out of range in UTC") from None


_ANY_DATE = SchemaValidator(core_schema.datetime_schema())
_NUMBER = re.compile(r"[-+]?[\d.]*")


def _read_date(value: object) -> datetime:
    is_text = isinstance(value, str) and not _NUMBER.fullmatch(value)
    if is_text or isinstance(value, datetime):
        try:
            return _as_utc(_ANY_DATE.validate_python(value))
        except ValidationError:
            pass  # it quotes the value
    raise ValueError


def _write_date(value: datetime) -> str:
    utc = _as_utc(value).replace(tzinfo=None)
    return (
        utc.isoformat(timespec="microseconds" if utc.microsecond % 1000 else "milliseconds") + "Z"
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
            raise ValueError("not JSON: NaN, Infinity or a number that overflows")
    return value


def make_json_schema(_source: object, _handler: object) -> "CoreSchema":
    return core_schema.no_info_plain_validator_function(
        look_through,
        serialization=core_schema.plain_serializer_function_ser_schema(return_unchanged),
    )


def return_unchanged(value: Any) -> Any:
    return value
