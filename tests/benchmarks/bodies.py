"""The body that is measured."""

import json

from dubhooks.testing import make_event
from dubhooks.webhooks import SaleCreated


def sale() -> bytes:
    """Return a ``sale.created`` of 2.4 kB: without a partner, as the real ones that were seen."""
    document = json.loads(make_event(SaleCreated, seed=1).to_json())
    del document["data"]["partner"]
    return json.dumps(document, separators=(",", ":")).encode()
