"""Names in ``dubhooks.testing``: its own, and those that the factories take and refuse."""

from typing import Any

import pytest

import dubhooks
from dubhooks import postbacks, webhooks
from dubhooks.errors import ConfigurationError
from dubhooks.testing import make_event, make_postback, make_unknown_event

MISSPELT = [
    (make_event, "sale.create", r"no webhook event is called 'sale.create': did you mean "),
    (make_event, "sale.create", r"'sale\.created'"),
    (make_event, "SaleCreated", "is made with make_unknown_event"),
    (make_event, "", "is it misspelt"),
    (make_event, webhooks.SaleCreated, "no webhook event is called"),
    (make_event, ["sale.created"], "no webhook event is called"),
    (make_postback, "lead.create", r"no postback event is called 'lead.create'.*'lead\.created'"),
    (make_postback, "link.created", "make_event makes webhook events"),
    (make_postback, "payout.sent", "is made with make_unknown_event"),
]


@pytest.mark.parametrize(("make", "name", "message"), MISSPELT)
def test_a_misspelt_name_is_refused(make: Any, name: Any, message: str) -> None:
    """A test that would send nothing that anybody handles fails where its mistake is."""
    with pytest.raises(ConfigurationError, match=message):
        make(name)


def test_an_unknown_event_is_made_on_purpose() -> None:
    """A future event can be made before the library knows it, for both families."""
    event = make_unknown_event("sale.create", {"data.partner.id": "pn_1"}, data={"short_link": 1})
    assert type(event) is webhooks.UnknownEvent
    assert (event.event, event.data) == (
        "sale.create",
        {"short_link": 1, "partner": {"id": "pn_1"}},
    )
    assert postbacks.parse(event.to_json()) == event
    assert make_unknown_event("partner.promoted", data=[1]).data == [1]
    assert make_unknown_event("partner.promoted").data == {}
    assert make_unknown_event("a.b", seed=1) == make_unknown_event("a.b", seed=1)
    assert make_unknown_event("a.b", seed=1).id != make_unknown_event("a.b", seed=2).id
    extra = make_unknown_event("a.b", add={"livemode": True}).model_extra
    assert extra == {"livemode": True}


@pytest.mark.parametrize("name", ["sale.created", "link.created", "", None, 5])
def test_a_known_event_is_not_made_as_an_unknown_one(name: Any) -> None:
    """An unknown event has a name that is text and that no model has."""
    with pytest.raises(ConfigurationError, match=r"make_event or make_postback|must be text"):
        make_unknown_event(name)


def test_names_are_found_when_they_are_used() -> None:
    """Every public name is there and listed, and another one is an AttributeError."""
    assert set(dubhooks.testing.__all__) <= set(dir(dubhooks.testing))
    for name in dubhooks.testing.__all__:
        assert getattr(dubhooks.testing, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'make_evnet'"):
        getattr(dubhooks.testing, "make_evnet")  # noqa: B009 - no name that type checkers know
