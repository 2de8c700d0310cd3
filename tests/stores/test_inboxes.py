"""What all inboxes do: the event noted in the transaction of its effect, exactly once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from dubhooks import ConfigurationError, postbacks
from dubhooks.testing import make_event
from dubhooks.webhooks import CommissionCreated, LinkCreated, SaleCreated
from tests.support.stores.inbox_worlds import EVERY, World, open_world

EVENT = make_event(SaleCreated, id="evt_inbox")


@pytest.fixture(params=EVERY)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Each inbox on each database, without notes."""
    with open_world(request, request.param) as world:
        yield world


def test_first_and_again(world: World) -> None:
    """The first delivery is told so, every later one is not; ids keep their case."""
    inbox = world.make()
    for expected in (True, False, False):
        with world.begin() as here:
            assert inbox.first(*here, EVENT) is expected
            assert not inbox.first(*here, EVENT)
    with world.begin() as here:
        assert inbox.first(*here, make_event(SaleCreated, id="EVT_inbox"))
        assert inbox.first(*here, make_event(SaleCreated, id="evt_2"))
        assert world.make(namespace="other").first(*here, EVENT)


def test_rollback_forgets(world: World) -> None:
    """When the effect fails the event is not noted, so it comes first again."""
    inbox = world.make()

    def fail() -> None:
        with world.begin() as here:
            assert inbox.first(*here, EVENT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with world.begin() as here:
        assert inbox.first(*here, EVENT)


@pytest.mark.parametrize("fails", [True, False])
def test_concurrent_delivery_waits(world: World, fails: bool) -> None:
    """A delivery at the same time waits for the first one's end, and runs only if that failed."""
    inbox = world.make()
    answers: list[bool] = []

    def second() -> None:
        with world.begin() as here:
            answers.append(inbox.first(*here, EVENT))
        connections.close_all()

    thread = threading.Thread(target=second)

    def first() -> None:
        with world.begin() as here:
            assert inbox.first(*here, EVENT)
            thread.start()
            thread.join(0.2)
            assert not answers, "the second delivery did not wait"
            if fails:
                raise ZeroDivisionError

    try:
        first()
    except ZeroDivisionError:
        assert fails
    thread.join(30)
    assert answers == [fails]


def test_the_same_thing_under_another_id(world: World) -> None:
    """Dub's own jobs can send one commission under two ids; a postback of it is another thing."""
    inbox = world.make()
    webhook = make_event(CommissionCreated, data__id="cm_1")
    again = make_event(CommissionCreated, data__id="cm_1")
    postback = make_event(postbacks.CommissionCreated, data__id="cm_1")
    plain = make_event(LinkCreated)
    for expected in (True, False):
        with world.begin() as here:
            for event in (webhook, postback, plain):
                assert inbox.first(*here, event, dedupe="natural") is expected
            assert not inbox.first(*here, again, dedupe="natural")


def test_forget(world: World) -> None:
    """An event is forgotten by itself, its id or its natural key, under whatever it was noted."""
    inbox, other = world.make(), world.make(namespace="other")
    event = make_event(CommissionCreated, data__id="cm_1")
    postback = make_event(postbacks.CommissionCreated, data__id="cm_1")
    noted: list[tuple[Any, Any, Any]] = [
        (event, "id", event.id),
        (event, "id", event),
        (event, "natural", event),
        (event, "natural", event.natural_key),
        (postback, "natural", event.natural_key),
    ]
    for one, dedupe, what in noted:
        with world.begin() as here:
            assert inbox.first(*here, one, dedupe=dedupe)
            other.first(*here, one)
        with world.begin() as here:
            assert inbox.forget(*here, what)
            assert not inbox.forget(*here, what)
    with world.begin() as here:
        assert inbox.first(*here, event)
        assert not other.first(*here, event)


def test_purge(world: World) -> None:
    """A purge forgets what is older than it is told, and says how much."""
    inbox = world.make()
    with world.begin() as here:
        inbox.first(*here, EVENT)
    time.sleep(0.02)
    with world.begin() as here:
        assert inbox.purge(*here, timedelta(days=30)) == 0
        assert inbox.purge(*here, 3600) == 0
        assert inbox.purge(*here, 0.01) == 1
        assert inbox.first(*here, EVENT)


def test_wrong_use(world: World) -> None:
    """What cannot be meant is refused, and nothing is noted."""
    inbox = world.make()
    with world.begin() as here:
        with pytest.raises(ConfigurationError, match='"id" or "natural"'):
            inbox.first(*here, EVENT, dedupe="ID")
        with pytest.raises(ConfigurationError, match="older_than"):
            inbox.purge(*here, -1)
        for nothing in ("", 5):
            with pytest.raises(ConfigurationError, match="forget takes an event"):
                inbox.forget(*here, nothing)
        assert inbox.first(*here, EVENT)
    with pytest.raises(ConfigurationError, match="namespace"):
        world.make(namespace="a:b")


@pytest.mark.parametrize("method", ["first", "forget", "purge"])
def test_missing_table(request: pytest.FixtureRequest, world: World, method: str) -> None:
    """Without the table the error says how it is made."""
    inbox = world.make()
    call = {"first": (EVENT,), "forget": (EVENT,), "purge": (60.0,)}[method]
    world.drop_table()
    with (
        pytest.raises(ConfigurationError, match=r"create_table\(|manage.py migrate --database"),
        world.begin() as here,
    ):
        getattr(inbox, method)(*here, *call)
    with open_world(request, request.node.callspec.params["world"]):
        pass  # it makes the table again
