"""Events as Python objects: keys, silence, immutability, copies, matching and schemas."""

import copy
import json
import pickle
import pprint
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from dubhooks import webhooks
from tests.support.payload_fixtures import (
    DATE_SHAPE,
    PRODUCTION,
    document,
    drop,
    encode,
    get,
    models_in,
    parse,
    paths,
    put,
)

EVERY = pytest.mark.parametrize(("family", "name"), PRODUCTION, ids=lambda part: part)

SHOWN = {"id", "type", "currency", "programId", "attribute", "operator", "platform", "metric"}
"""Wire names of texts that ``repr`` may show: opaque ids and enums."""


@EVERY
def test_repr_shows_nothing_personal_or_secret(family: str, name: str) -> None:
    """No way to show an event or a part of it shows more than ids, enums and amounts."""
    value = document(family, name)
    for path in list(paths(value["data"], ("data",))):
        old = get(value, path)
        if isinstance(old, str) and path[-1] not in SHOWN and not DATE_SHAPE.fullmatch(old):
            put(value, path, f"LEAK {path[-1]}")
    for path in [(), *(path for path in paths(value) if isinstance(get(value, path), dict))]:
        get(value, path)["LEAK"] = "LEAK"
    event = parse(family, encode(value))
    assert "LEAK" in event.model_dump_json()
    for where, model in models_in(event):
        for shown in (repr(model), str(model), f"{model}", f"{[model]}", pprint.pformat(model)):
            assert "LEAK" not in shown, where
        assert "LEAK" not in repr(list(model.__repr_args__())), where
    assert repr(event) == f"{type(event).__name__}(id={event.id!r}, event={name!r})"


def test_repr_says_what_it_is_about() -> None:
    """A part shows what identifies it, and the money; what is not there is left out."""
    event = webhooks.parse(PRODUCTION["webhooks", "payout.confirmed"])
    assert isinstance(event, webhooks.PayoutConfirmed)
    assert repr(event.data) == (
        "Payout(id='po_A1', amount=150075, currency='USD', partner=PayoutPartner(id='pn_A1'))"
    )
    assert repr(webhooks.ImageRequirement()) == "ImageRequirement()"
    unknown = webhooks.parse(encode(document("webhooks", "link.created") | {"event": "new.event"}))
    assert repr(unknown) == "UnknownEvent(id='evt_Wfixture00', event='new.event')"


@EVERY
def test_frozen(family: str, name: str) -> None:
    """No attribute of an event or a part of it can be set, added or deleted."""
    for _, model in models_in(parse(family, PRODUCTION[family, name])):
        field = next(iter(type(model).model_fields))
        before = getattr(model, field)
        with pytest.raises(ValidationError, match="frozen"):
            setattr(model, field, "changed")
        with pytest.raises(ValidationError, match="frozen"):
            delattr(model, field)
        with pytest.raises((ValidationError, AttributeError)):
            model.brand_new = 1  # type: ignore[attr-defined]
        assert getattr(model, field) == before


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda event: pickle.loads(pickle.dumps(event)),
    "oldest pickle": lambda event: pickle.loads(pickle.dumps(event, 2)),
    "model_copy": lambda event: event.model_copy(),
    "deep model_copy": lambda event: event.model_copy(deep=True),
    "model_copy of nothing": lambda event: event.model_copy(update={}),
}


@EVERY
@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES.keys())
def test_copies(family: str, name: str, make: Callable[[Any], Any]) -> None:
    """A copy is equal, of the same class, and loses no byte; an unknown event, too."""
    value = document(family, name)
    value["data"] |= {"brandNew": None}
    value["event"] = {"link.updated": "new.event"}.get(name, name)
    body = encode(value).replace(b".926Z", b".9260Z")
    event = parse(family, body)
    again = make(event)
    assert again is not event
    assert again == event
    assert type(again) is type(event)
    assert again.to_json() == body
    assert repr(again) == repr(event)


@EVERY
def test_changed_copy(family: str, name: str) -> None:
    """A changed copy writes the change, and everything else as Dub writes it."""
    value = document(family, name)
    value["data"]["brandNew"] = {"a": [None]}
    for path in list(paths(value["data"], ("data",))):
        if path[-1] in ("createdAt", "email", "image"):
            drop(value, path)  # what is absent is not invented
    event = parse(family, encode(value))
    later = datetime(2026, 9, 1, 12, 0, 0, 5000, timezone(timedelta(hours=2)))
    changed = event.model_copy(update={"id": "evt_changed", "created_at": later})
    value |= {"id": "evt_changed", "createdAt": "2026-09-01T10:00:00.005Z"}
    assert json.loads(changed.to_json()) == value
    assert changed != event
    assert json.loads(event.to_json())["id"] == event.id != "evt_changed"
    assert parse(family, changed.to_json()) == changed


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 9, 1, tzinfo=timezone.utc), "2026-09-01T00:00:00.000Z"),
        (datetime(2026, 9, 1), "2026-09-01T00:00:00.000Z"),
        (datetime(2026, 9, 1, 0, 0, 0, 7000, timezone.utc), "2026-09-01T00:00:00.007Z"),
        (datetime(2026, 9, 1, 0, 0, 0, 7, timezone.utc), "2026-09-01T00:00:00.000007Z"),
        (datetime(2026, 9, 1, 0, 0, 0, 7100, timezone.utc), "2026-09-01T00:00:00.007100Z"),
        (datetime(9, 9, 1, tzinfo=timezone.utc), "0009-09-01T00:00:00.000Z"),
    ],
)
def test_how_dates_are_written(moment: datetime, written: str) -> None:
    """Dates are written as Dub writes them, and exactly where that would lose something."""
    event = webhooks.parse(PRODUCTION["webhooks", "link.created"])
    changed = event.model_copy(update={"created_at": moment})
    assert json.loads(changed.to_json())["createdAt"] == written
