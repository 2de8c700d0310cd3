"""Names in ``dubhooks.testing``: its own, and those that the factories take and refuse."""

from importlib import import_module
from typing import Any

import pytest

import dubhooks
from dubhooks import postbacks, webhooks
from dubhooks.errors import ConfigurationError, InvalidEnvelope
from dubhooks.events._base import Event
from dubhooks.testing import ABSENT, make_event, make_unknown_event

SALE = r"make_event\(SaleCreated\), with SaleCreated from dubhooks.webhooks or dubhooks.postbacks"
NO_CLASSES: list[tuple[Any, str]] = [
    ("sale.created", f"for 'sale.created' use {SALE}"),
    ("link.created", r"use make_event\(LinkCreated\), with LinkCreated from dubhooks.webhooks$"),
    ("external_payout.confirmed", r"use make_event\(PayoutConfirmed, event='external_payout"),
    ("sale.create", rf"did you mean {SALE}\?.* use make_unknown_event\(name, data\)"),
    ("SaleCreated", f"did you mean {SALE}"),
    ("payout_was_sent", r"not a known name; .* use make_unknown_event\(name, data\)"),
    ("", r"not a known name; .* use make_unknown_event\(name, data\)"),
    (webhooks.UnknownEvent, r"without a model use make_unknown_event\(name, data\)"),
    (webhooks.SaleData, "SaleData is none; dubhooks.webhooks and dubhooks.postbacks"),
    (Event, "Event is none"),
    (type("MySale", (webhooks.SaleCreated,), {}), "MySale is none"),
    (make_event(webhooks.SaleCreated), "an object of SaleCreated is none"),
    ([webhooks.SaleCreated], "an object of list is none"),
    (None, "an object of NoneType is none"),
]


@pytest.mark.parametrize(("event", "message"), NO_CLASSES)
def test_what_is_no_class_is_refused(event: Any, message: str) -> None:
    """A test that would send nothing that anybody handles fails where its mistake is."""
    with pytest.raises(
        ConfigurationError, match=f"make_event takes the class of an event.*{message}"
    ):
        make_event(event)


def test_an_unknown_event_is_made_on_purpose() -> None:
    """A future event can be made before the library knows it, for both families."""
    event = make_unknown_event("sale.create", {"short_link": 1}, data__partner__id="pn_1")
    assert type(event) is webhooks.UnknownEvent
    assert (event.event, event.data) == (
        "sale.create",
        {"short_link": 1, "partner": {"id": "pn_1"}},
    )
    assert postbacks.parse(event.to_json()) == event
    assert make_unknown_event("partner.promoted").data == {}
    for data in ([1], [], None, "", 0, {"a": {"b": None}}):
        assert make_unknown_event("partner.promoted", data).data == data
        assert make_unknown_event("partner.promoted", data=data).data == data
    with pytest.raises(InvalidEnvelope, match="data"):
        make_unknown_event("partner.promoted", ABSENT)
    assert make_unknown_event("a.b", seed=1) == make_unknown_event("a.b", seed=1)
    assert make_unknown_event("a.b", seed=1).id != make_unknown_event("a.b", seed=2).id
    extra = make_unknown_event("a.b", add={"livemode": True}).model_extra
    assert extra == {"livemode": True}
    assert make_unknown_event("a.b", id="evt_1").id == "evt_1"
    with pytest.raises(ConfigurationError, match="an event keeps its name"):
        make_unknown_event("a.b", event="c.d")


def test_what_was_given_as_data_is_not_changed() -> None:
    """Overrides change a copy, the default's as well."""
    given = {"partner": {"id": "pn_1"}}
    event = make_unknown_event("a.b", given, data__partner__id="pn_2", add={"data.new": 1})
    assert event.data == {"partner": {"id": "pn_2"}, "new": 1}
    assert given == {"partner": {"id": "pn_1"}}
    make_unknown_event("a.b", add={"data.new": 1})
    assert make_unknown_event("a.b").data == {}


@pytest.mark.parametrize("name", ["sale.created", "link.created", "", None, 5])
def test_a_known_event_is_not_made_as_an_unknown_one(name: Any) -> None:
    """An unknown event has a name that is text and that no model has."""
    with pytest.raises(ConfigurationError, match=r"use make_event\(|must be text"):
        make_unknown_event(name)


def test_names_are_found_when_they_are_used() -> None:
    """Every public name is there and listed, and another one is an AttributeError."""
    assert set(dubhooks.testing.__all__) <= set(dir(dubhooks.testing))
    for name in dubhooks.testing.__all__:
        assert getattr(dubhooks.testing, name) is not None
    modules = [import_module(f"dubhooks.testing.{name}") for name in dubhooks.testing._MODULES]
    assert sorted(name for one in modules for name in one.__all__) == dubhooks.testing.__all__
    with pytest.raises(AttributeError, match="no attribute 'make_evnet'"):
        getattr(dubhooks.testing, "make_evnet")  # noqa: B009 - no name that type checkers know
