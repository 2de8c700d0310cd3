"""Names in ``dubhooks.testing``: its own, and those that the factories take and refuse."""

import re
from importlib import import_module
from typing import Any

import pytest

import dubhooks
from dubhooks import postbacks, webhooks
from dubhooks.errors import ConfigurationError, InvalidEnvelope
from dubhooks.events._base import Event
from dubhooks.testing import ABSENT, make_event, make_unknown_event

NO_CLASSES: list[tuple[Any, str]] = [
    ("sale.created", "sale.created: use one of dubhooks.webhooks or dubhooks.postbacks; an event"),
    (webhooks.UnknownEvent, "UnknownEvent: use one"),
    (webhooks.SaleData, "SaleData: use one"),
    (Event, "Event: use one"),
    (type("MySale", (webhooks.SaleCreated,), {}), "MySale: use one"),
    (make_event(webhooks.SaleCreated), "an object of SaleCreated: use one"),
    (None, "an object of NoneType: use one"),
]


@pytest.mark.parametrize(("event", "message"), NO_CLASSES)
def test_what_is_no_class_is_refused(event: Any, message: str) -> None:
    """A test that would send nothing that anybody handles fails where its mistake is."""
    expected = re.escape(f"make_event takes the class of an event, not {message}")
    with pytest.raises(ConfigurationError, match=f"{expected}.*make_unknown_event"):
        make_event(event)


def test_an_unknown_event_is_made_on_purpose() -> None:
    """A future event can be made before the library knows it, for both families."""
    given = {"short_link": 1, "partner": {"id": "pn_1"}}
    event = make_unknown_event("sale.create", given, id="evt_1", data__partner__id="pn_2")
    assert type(event) is webhooks.UnknownEvent
    assert (event.event, event.id) == ("sale.create", "evt_1")
    assert event.data == {"short_link": 1, "partner": {"id": "pn_2"}}
    assert given["partner"] == {"id": "pn_1"}
    assert postbacks.parse(event.to_json()) == event
    assert make_unknown_event("partner.promoted").data == {}
    for data in ([1], [], None, "", 0, {"a": {"b": None}}):
        assert make_unknown_event("partner.promoted", data).data == data
        assert make_unknown_event("partner.promoted", data=data).data == data
    for name in ("", None, 5):
        with pytest.raises(InvalidEnvelope, match="event"):
            make_unknown_event(name)  # type: ignore[arg-type]
    with pytest.raises(InvalidEnvelope, match="data"):
        make_unknown_event("partner.promoted", ABSENT)
    assert make_unknown_event("a.b", seed=1) == make_unknown_event("a.b", seed=1)
    assert make_unknown_event("a.b", seed=1).id != make_unknown_event("a.b", seed=2).id
    with pytest.raises(ConfigurationError, match="an event keeps its name"):
        make_unknown_event("a.b", event="c.d")


@pytest.mark.parametrize("name", ["sale.created", "link.created"])
def test_a_known_event_is_not_made_as_an_unknown_one(name: Any) -> None:
    """An unknown event has a name that no model has."""
    with pytest.raises(ConfigurationError, match=r"is known: make_event\(its class\)"):
        make_unknown_event(name)


def test_names_are_found_when_they_are_used() -> None:
    """Every public name is there, and another one is an AttributeError."""
    for name in dubhooks.testing.__all__:
        assert getattr(dubhooks.testing, name) is not None
    modules = [import_module(f"dubhooks.testing.{name}") for name in dubhooks.testing._MODULES]
    assert sorted(name for one in modules for name in one.__all__) == dubhooks.testing.__all__
    with pytest.raises(AttributeError, match="no attribute 'make_evnet'"):
        getattr(dubhooks.testing, "make_evnet")  # noqa: B009 - no name that type checkers know
