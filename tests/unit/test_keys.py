"""The keys that events are claimed under: every store can hold them, and none is another's."""

from typing import Any

import pytest

from dubhooks import ConfigurationError, postbacks
from dubhooks.idempotency._keys import (
    build_event_keys,
    build_inbox_key,
    build_key,
    build_unhandled_key,
    check_dedupe,
    list_inbox_keys,
    list_keys_of,
)
from dubhooks.testing import make_event
from dubhooks.webhooks import CommissionCreated
from tests.support.receiving import fingerprint, sale


def test_an_ordinary_id() -> None:
    """The key is namespace and id, as the contract says."""
    assert build_key("shop", "evt_1") == "shop:evt_1"
    assert build_key("shop", "evt_A") != build_key("shop", "evt_a")


@pytest.mark.parametrize(
    "odd",
    ["a b", "é", "a\x00b", "a:b", "x" * 111, "a\n", "\U0001f680", "'; --", "x" * 10_000, "\ud800"],
    ids=ascii,
)
def test_an_odd_id(odd: str) -> None:
    """An odd or long id is hashed: at most 200 ASCII characters, whatever the namespace."""
    key = build_key("n" * 64, odd)
    assert key.isascii()
    assert len(build_unhandled_key(key)) <= 200
    hashed = fingerprint(odd.encode("utf-8", "surrogatepass"))
    assert key == f"{'n' * 64}:sha256:{hashed}"


def test_the_longest_keys() -> None:
    """No id and no natural key gives a longer one."""
    longest = "x" * 110
    for key in list_keys_of("n" * 64, "postback", longest):
        assert len(key) <= 200


def test_of_an_event() -> None:
    """The id first, then the natural key when that counts and there is one."""
    event = sale(id="evt_1", data__sale__invoiceId="in_1")
    assert event.natural_key is not None
    hashed = f"default:webhook:sha256:{fingerprint(event.natural_key.encode())}"
    assert build_event_keys("default", event, "id") == ("default:evt_1",)
    assert build_event_keys("default", event, "natural") == ("default:evt_1", hashed)
    assert build_inbox_key("default", event, "id") == "default:evt_1"
    assert build_inbox_key("default", event, "natural") == hashed
    bare = sale(id="evt_1", data__sale__invoiceId=None)
    assert build_event_keys("default", bare, "natural") == ("default:evt_1",)
    assert build_inbox_key("default", bare, "natural") == "default:evt_1"


def test_none_is_another_ones() -> None:
    """No event id and no natural key gives the key of another one, in any family."""
    webhook = make_event(CommissionCreated, id="evt_1", data__id="cm_1")
    postback = make_event(postbacks.CommissionCreated, id="evt_1", data__id="cm_1")
    keys = {
        build_key("n", "webhook"),
        build_key("n", "webhook:x"),
        build_key("n.webhook", "x"),
        build_key("n", "evt_1:unhandled"),
        build_key("n", "sha256:x"),
        *list_keys_of("n", "webhook", webhook),
        build_event_keys("n", postback, "natural")[1],
        *list_keys_of("n.webhook", "webhook", webhook),
    }
    assert len(keys) == 5 + 4 + 1 + 4


@pytest.mark.parametrize("dedupe", ["ID", "", None, True, "both"])
def test_unknown_dedupe(dedupe: object) -> None:
    """A misspelt way to deduplicate is refused, in inboxes as well."""
    with pytest.raises(ConfigurationError, match='"id" or "natural"'):
        check_dedupe(dedupe)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match='"id" or "natural"'):
        build_inbox_key("default", sale(), dedupe)  # type: ignore[arg-type]


@pytest.mark.parametrize("what", [None, "", 5, b"evt_1"])
def test_an_inbox_forgets_events_and_ids(what: Any) -> None:
    """Anything else is refused."""
    with pytest.raises(ConfigurationError, match="an event, the id of one, or a natural key"):
        list_inbox_keys("default", what)
