"""Every situation comes out the same, whichever way it is delivered, handled and stored."""

import json
import logging

import pytest

from dubhooks import DeliveryRecord, Reply
from tests.support.receiving import changed, key_of, reply, signed, state_of
from tests.support.situations_of_receivers import NOT_RUN, SITUATIONS, Situation, Step
from tests.support.worlds import WORLDS, World, build_world

Log = pytest.LogCaptureFixture

CASES = [
    pytest.param(situation, world, id=f"{name}-{'-'.join(world)}")
    for name, situation in SITUATIONS.items()
    for world in WORLDS
    if world[2] != "none" or not situation.needs_store
]


def check_record(record: DeliveryRecord, step: Step, event_id: str, world: World) -> None:
    """Check what an observer was given."""
    assert (record.outcome, record.status) == (step.outcome, step.status)
    assert (record.family, record.namespace) == ("webhook", "default")
    assert record.event_id == event_id
    assert record.attempt == (1 if step.attempt and not world.store else step.attempt)
    assert record.error_code == step.code
    assert 0 <= record.seconds < 30
    assert record.age is not None
    assert 0 <= record.age < 60


def check_lines(log: Log, step: Step) -> None:
    """Check what was logged from WARNING on."""
    lines = [it for it in log.records if it.name == "dubhooks" and it.levelno >= logging.WARNING]
    assert [line.levelname for line in lines] == [level for level, _ in step.logs], lines
    for line, (_, part) in zip(lines, step.logs, strict=True):
        assert part in line.getMessage()


@pytest.mark.parametrize(("situation", "kind"), CASES)
def test_situation(situation: Situation, kind: tuple[str, str, str], discreet: Log) -> None:
    """Reply, exception, claim, record and log are those of the table, in every world."""
    world = build_world(*kind)
    hooks = world.build_receiver()
    results = [step.result for step in situation.steps if step.result is not NOT_RUN]
    situation.register(hooks, world.build_handler(results))
    event = situation.event()
    for number, step in enumerate(situation.steps):
        discreet.clear()
        if step.before is not None:
            step.before(world.store, event)
        body = changed(event, **step.again) if step.again else event.to_json()
        event_id = json.loads(body)["id"]
        got: Reply | None = None
        if step.raises:
            with pytest.raises(step.raises):
                world.deliver(hooks, signed(body))
        else:
            got = world.deliver(hooks, signed(body))
            expected = reply(step.status, step.outcome, event_id)
            expected.headers.update(step.headers)
            assert got == expected
        check_record(world.records[number], step, event_id, world)
        check_lines(discreet, step)
    assert len(world.seen) == len(results)
    assert len(world.records) == len(situation.steps)
    if situation.state and world.store:
        world.store.fails.clear()
        assert state_of(world.store, key_of(event) + situation.key) == situation.state
