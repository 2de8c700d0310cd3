"""The factories of ``dubhooks.testing``: complete, consistent, repeatable, signed."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

import dubhooks
from dubhooks import postbacks, webhooks
from dubhooks._samples import load_abridged
from dubhooks.errors import ConfigurationError, SignatureMismatch
from dubhooks.signature import verify
from dubhooks.testing import ABSENT, make_event, signed_request
from tests.support.payload_fixtures import ABRIDGED, DATE_SHAPE, document, models_in

SECRET = "whsec_0123456789abcdef0123456789abcdef"

EVERY: list[tuple[Any, str, str]] = [
    (cls, f"{family.name}s", name)
    for family in (webhooks.family, postbacks.family)
    for name, cls in family.classes.items()
]
EVERY_EVENT = pytest.mark.parametrize(("cls", "family", "name"), EVERY)
EVERY_NAME = pytest.mark.parametrize(("cls", "name"), [(cls, name) for cls, _, name in EVERY])

OF_THE_CUSTOMER = {"externalId", "tenantId", "invoiceId"}
"""Ids that are not Dub's, so that they have any form."""
SOMETIMES: dict[Any, set[str]] = {
    webhooks.PartnerEnrolled: {"referralFormData", "application", "tags"},
    webhooks.PayoutConfirmed: {"traceId"},
}
"""Keys of ``data`` that Dub does not always send."""

SEEDED_PARTNER_MERGED = (
    '{"id":"evt_JADM4IaMx2jqb34zt4a9nSUfC","event":"partner.merged",'
    '"createdAt":"2026-02-12T08:27:26.308Z",'
    '"data":{"sourcePartner":'
    '{"id":"pn_0M532OCLDW3WH3HPX7FVR4RLS","tenantId":null,"email":"old-partner-3457@example.com"},'
    '"targetPartner":'
    '{"id":"pn_4UUF07AQOOHM8VHNPMDJTLO1Q","tenantId":"user_82221","email":"partner-3457@example.com"},"targetAlreadyEnrolled":false}}'
)


def wire(event: Any) -> Any:
    """Return the JSON that the event was made from."""
    return json.loads(event.to_json())


def objects(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every object in ``value`` with its path; of a list the first item."""
    if isinstance(value, list) and value:
        yield from objects(value[0], path)
    elif isinstance(value, dict) and path[-1:] != ("metadata",):
        yield path, value
        for key, inner in value.items():
            yield from objects(inner, (*path, key))


def moments(value: Any) -> list[str]:
    """Return every date in a JSON value."""
    text = json.dumps(value)
    return re.findall(rf'"({DATE_SHAPE.pattern})"', text)


@EVERY_EVENT
@pytest.mark.parametrize("seed", [None, 7])
def test_an_event_has_every_key_of_production(
    cls: Any, family: str, name: str, seed: int | None
) -> None:
    """Every object has the keys that Dub always sends, in its order, ids of Dub's form, no more."""
    event = make_event(cls, event=name, seed=seed)
    assert type(event) is cls
    assert event.event == name
    made, sent = dict(objects(wire(event))), dict(objects(document(family, name)))
    for path in made.keys() & sent.keys():
        missing = SOMETIMES.get(cls, set()) if path == ("data",) else set()
        assert list(made[path]) == [key for key in sent[path] if key not in missing], path
        for key, value in made[path].items():
            if value is not None and re.fullmatch("id|.*Id", key) and key not in OF_THE_CUSTOMER:
                assert kind_of(value) == kind_of(sent[path][key]), (path, key)
    assert all(model.model_extra == {} for _, model in models_in(event))


def kind_of(identity: str) -> str:
    """Return what tells the kind of an id."""
    return identity.rpartition("_")[0]


@EVERY_NAME
def test_no_date_is_in_the_future(cls: Any, name: str) -> None:
    """The event is the newest thing in it, and its id has the form of Dub's."""
    event = make_event(cls, event=name, seed=3)
    assert re.fullmatch("evt_[0-9A-Za-z]{25}", event.id)
    assert max(moments(wire(event))) == wire(event)["createdAt"]


@EVERY_NAME
def test_a_seed_determines_every_byte(cls: Any, name: str) -> None:
    """The same name and seed give the same bytes, compact as Dub's; another seed other ids."""
    event, other = (make_event(cls, event=name, seed=seed) for seed in (1, 2))
    body = event.to_json()
    assert make_event(cls, event=name, seed=1).to_json() == body
    compact = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":"))
    assert body == compact.encode()
    assert other.id != event.id
    assert other.natural_key is None or other.natural_key != event.natural_key


def test_seeded_bytes_are_the_same_everywhere() -> None:
    """Id and data follow from the seed in every version of Python, and families share none."""
    event = make_event(webhooks.PartnerMerged, seed=42, created_at="2026-02-12T08:27:26.308Z")
    assert event.to_json().decode() == SEEDED_PARTNER_MERGED
    sales = [make_event(cls, seed=1) for cls in (webhooks.SaleCreated, postbacks.SaleCreated)]
    assert sales[0].id != sales[1].id


@EVERY_EVENT
def test_a_seeded_event_is_taken_by_a_receiver_with_a_store(
    cls: Any, family: str, name: str
) -> None:
    """It is new enough for every receiver, and the same again is a duplicate."""
    kind: Any = dubhooks.Webhooks if family == "webhooks" else dubhooks.Postbacks
    hooks = kind(SECRET, store=dubhooks.MemoryStore())
    seen: list[Any] = []
    hooks.on(cls)(seen.append)
    event = make_event(cls, event=name, seed=1)
    outcomes = [hooks.handle(*signed_request(event, SECRET)).outcome for _ in range(2)]
    assert outcomes == ["handled", "duplicate"]
    assert seen == [event]


def test_without_a_seed_an_event_is_new_and_from_now() -> None:
    """Ids differ from call to call, and the event is no older than the call."""
    before = datetime.now(timezone.utc) - timedelta(milliseconds=1)
    events = [make_event(webhooks.SaleCreated) for _ in range(20)]
    after = datetime.now(timezone.utc)
    assert len({event.id for event in events}) == 20
    assert len({event.natural_key for event in events}) == 20
    assert all(before <= event.created_at <= after for event in events)


def test_a_class_with_two_names_makes_both() -> None:
    """A payout is ``payout.confirmed`` unless the other name is asked for, and no third one is."""
    cls = webhooks.PayoutConfirmed
    assert make_event(cls).event == "payout.confirmed"
    other = make_event(cls, event="external_payout.confirmed", data__amount=5)
    assert (other.event, other.data.amount) == ("external_payout.confirmed", 5)
    assert make_event(cls, seed=1).id != make_event(cls, seed=1, event=other.event).id
    for third in ("payout.sent", "sale.created", "", ["payout.confirmed"], ABSENT):
        with pytest.raises(ConfigurationError, match=r"'payout.confirmed' or 'external_payout"):
            make_event(cls, event=third)
    with pytest.raises(ConfigurationError, match=r"a SaleCreated is called 'sale.created'"):
        make_event(webhooks.SaleCreated, event="lead.created")


def test_a_signed_request_verifies() -> None:
    """The body is the event's bytes and the header proves them, for this secret only."""
    event = make_event(webhooks.SaleCreated)
    body, headers = signed_request(event, SECRET)
    assert body == event.to_json()
    assert headers["Content-Type"] == "application/json"
    assert set(headers) == {"Content-Type", "Dub-Signature"}
    verify(body, headers["Dub-Signature"], SECRET)
    with pytest.raises(SignatureMismatch):
        verify(body, headers["Dub-Signature"], "whsec_other")


def test_any_bytes_can_be_signed() -> None:
    """Raw bytes are signed as they are, and the first of several secrets signs."""
    body, headers = signed_request(b"\xff not json", [SECRET, "whsec_old"])
    assert body == b"\xff not json"
    verify(body, headers["Dub-Signature"], SECRET)
    with pytest.raises(ConfigurationError):
        signed_request("text", SECRET)  # type: ignore[arg-type]


def test_abridged_bodies() -> None:
    """They have the few keys that documentation prints, parse, and are new with every call."""
    bodies = load_abridged()
    for title, body in bodies.items():
        name = title.split()[0]
        event = webhooks.parse(body)
        assert type(event) is webhooks.family.classes[name]
        made, printed = dict(objects(json.loads(body))), dict(objects(json.loads(ABRIDGED[name])))
        assert {path: list(made[path]) for path in made} == {p: list(printed[p]) for p in printed}
    assert len(bodies) == len(ABRIDGED)
    assert set(bodies.values()).isdisjoint(load_abridged().values())
    assert load_abridged(seed=1) == load_abridged(seed=1)
