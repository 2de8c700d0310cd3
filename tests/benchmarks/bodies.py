"""The bodies that are measured."""

import json
from typing import Any

from dubhooks.testing import make_event
from dubhooks.webhooks import DiscountCodeCreated, SaleCreated

SECRET = "whsec_" + "0123456789abcdef" * 2
SALE = "2.4 kB"


def sale() -> bytes:
    """Return a ``sale.created`` of 2.4 kB: without a partner, as the real ones that were seen."""
    return _encode(_sale())


def by_size() -> dict[str, bytes]:
    """Return a body of every size: a small event, a sale, and sales with much metadata."""
    return {
        "0.4 kB": make_event(DiscountCodeCreated, seed=1).to_json(),
        SALE: sale(),
        "60 kB": _with_metadata(60_000),
        "1 MB": _with_metadata(1_000_000),
    }


def with_unknown_fields(count: int) -> bytes:
    """Return the sale with fields that no model knows, half of them objects."""
    document = _sale()
    for number in range(count):
        value = {"id": f"new_{number}"} if number % 2 else "text"
        document["data"][f"unknown{number:03}"] = value
    return _encode(document)


def _sale() -> Any:
    document = json.loads(make_event(SaleCreated, seed=1).to_json())
    del document["data"]["partner"]
    return document


def _with_metadata(size: int) -> bytes:
    document = _sale()
    # What a shop notes about each line of an order; Dub hands it on as it came.
    item = {"sku": "shirt-blue-m", "name": "A blue shirt", "quantity": 2, "price": 19.5}
    count = (size - len(_encode(document))) // (len(_encode(item)) + 1)
    document["data"]["metadata"] = {"items": [item] * count}
    return _encode(document)


def _encode(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
