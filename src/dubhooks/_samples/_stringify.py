"""Python values → JSON bytes, written as JavaScript's ``JSON.stringify`` writes them.

Dub is written in JavaScript, and a signature covers bytes, so a realistic body
has no spaces, raw non-ASCII text, and numbers and dates in JavaScript's form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from decimal import Decimal
from math import isfinite
from typing import cast

from ..errors import ConfigurationError

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_EXPONENT = re.compile("e([+-])0*")


def stringify(value: object) -> bytes:
    """Return ``value`` as compact JSON in UTF-8.

    Dates are written in UTC with milliseconds, whole floats as integers, and
    lone surrogates as escapes.

    Raises:
        ConfigurationError: something in ``value`` has no JSON form.
    """
    return _text(value, "").encode()


def _text(value: object, path: str) -> str:
    match value:
        case None | str() | int():
            return _plain(value)
        case float():
            return _float(value, path)
        case datetime():
            return _date(value, path)
        case Mapping():
            members = [
                f"{_plain(name)}:{_text(item, f'{path}.{name}')}"
                for name, item in cast("Mapping[str, object]", value).items()
            ]
            return f"{{{','.join(members)}}}"
        case list():
            items = enumerate(cast("list[object]", value))
            return f"[{','.join([_text(item, f'{path}.{index}') for index, item in items])}]"
        case _:
            raise ConfigurationError(f"{path[1:]}: {type(value).__name__} has no JSON form")


def _plain(value: str | int | None) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _float(value: float, path: str) -> str:
    if not isfinite(value):
        raise ConfigurationError(f"{path[1:]}: JSON has no NaN and no Infinity")
    if value == 0:
        return "0"
    digits = float.__repr__(value)
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(digits), "f").removesuffix(".0")
    return _EXPONENT.sub(r"e\1", digits)


def _date(value: datetime, path: str) -> str:
    if value.tzinfo is None:
        raise ConfigurationError(f"{path[1:]}: give the datetime a time zone, such as timezone.utc")
    utc = value.astimezone(timezone.utc).replace(tzinfo=None)
    return f'"{utc.isoformat(timespec="milliseconds")}Z"'
