"""An exhaustive model of queued handlers: every order of events that two workers can meet.

One event is delivered, acknowledged or not, put into a queue, taken, claimed, run, completed,
put back, killed.  ``explore`` walks through every reachable state and returns the first one
that breaks an invariant, with the steps that lead there.  Faults can be planted, to show that
the model would find them.

    python -m tests.queues.model
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

Phase = Literal["idle", "taken", "claimed", "ran", "failed", "done", "finished"]
"""What a worker does: ``done`` still has to acknowledge because the event was completed;
``finished`` put the message back, kept a dead letter, or could not complete."""

Fault = Literal[
    "claim at intake",
    "complete before the effect",
    "acknowledge before the run",
    "engine retry that loses",
    "no renewal",
]
FAULTS: tuple[Fault, ...] = (
    "claim at intake",
    "complete before the effect",
    "acknowledge before the run",
    "engine retry that loses",
    "no renewal",
)

WORKERS = (0, 1)
NOBODY, DONE, INTAKE, DEAD = "nobody", "done", "intake", "dead"


@dataclass(frozen=True)
class State:
    """Everything there is, and how much may still go wrong."""

    deliveries: int = 3
    """How many times the sender may still deliver the event."""
    kills: int = 2
    failures: int = 1
    """Handlers, stores and queues that may still raise."""
    is_acknowledged: bool = False
    messages: int = 0
    """In the queue, not taken."""
    workers: tuple[Phase, Phase] = ("idle", "idle")
    owner: object = NOBODY
    """Of the claim: a worker, ``DEAD`` (its lease runs), ``DONE`` or ``NOBODY``."""
    effects: int = 0
    repeats: int = 0
    """Effects that may be there twice: kills inside a handler, and completions that failed."""
    has_letter: bool = False

    def set(self, worker: int, phase: Phase, **changes: object) -> "State":
        """Return this state with another phase of one worker."""
        phases = list(self.workers)
        phases[worker] = phase
        return replace(self, workers=(phases[0], phases[1]), **changes)  # type: ignore[arg-type]


class Violation(NamedTuple):
    """A broken invariant, and the steps that lead there."""

    invariant: str
    steps: tuple[str, ...]


class Exploration(NamedTuple):
    """How many states were reached, and what was found."""

    states: int
    violation: Violation | None


def explore(fault: Fault | None = None) -> Exploration:
    """Walk through every state, breadth first, with at most one planted fault."""
    start = State()
    came_from: dict[State, tuple[State, str] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        broken = find_broken(state)
        if broken is not None:
            return Exploration(len(came_from), Violation(broken, _trace(state, came_from)))
        for step, reached in steps_from(state, fault):
            if reached not in came_from:
                came_from[reached] = (state, step)
                waiting.append(reached)
    return Exploration(len(came_from), None)


def find_broken(state: State) -> str | None:
    """Return the invariant that ``state`` breaks."""
    in_hands = [phase for phase in state.workers if phase not in ("idle", "done", "finished")]
    is_held = bool(state.messages or in_hands or state.has_letter or state.effects)
    if state.is_acknowledged and not is_held and state.owner != DONE:
        return "an acknowledged event has no message, no completed claim and no dead letter"
    is_quiet = not state.messages and set(state.workers) == {"idle"}
    if state.is_acknowledged and is_quiet and not (state.effects or state.has_letter):
        return "an acknowledged event never ran"
    if sum(phase in ("claimed", "ran") for phase in state.workers) > 1:
        return "two live runners"
    if state.effects > 1 + state.repeats:
        return "an effect was repeated without a kill inside the handler"
    return None


def steps_from(state: State, fault: Fault | None) -> Iterator[tuple[str, State]]:
    """Yield what can happen next."""
    if state.deliveries:
        yield from _deliver(replace(state, deliveries=state.deliveries - 1), fault)
    if state.owner == DEAD:
        yield "the lease of a dead worker ends", replace(state, owner=NOBODY)
    if fault == "no renewal" and state.owner in WORKERS:
        yield "a lease ends while its handler runs", replace(state, owner=NOBODY)
    for worker in WORKERS:
        for step, reached in _work(state, worker, fault):
            yield f"worker {worker} {step}", reached


def _deliver(state: State, fault: Fault | None) -> Iterator[tuple[str, State]]:
    if fault == "claim at intake":
        if state.owner != NOBODY:
            yield "delivered: claimed before, acknowledged", replace(state, is_acknowledged=True)
            return
        state = replace(state, owner=INTAKE)
        yield "delivered: claimed, then the process is killed", state
    elif state.failures:
        yield "delivered: the put raises", replace(state, failures=state.failures - 1)
    state = replace(state, messages=state.messages + 1)
    yield "delivered: put, and the reply is lost", state
    yield "delivered: put, acknowledged", replace(state, is_acknowledged=True)


def _work(state: State, worker: int, fault: Fault | None) -> Iterator[tuple[str, State]]:
    phase = state.workers[worker]
    if phase == "idle":
        if state.messages:
            yield "takes a message", state.set(worker, "taken", messages=state.messages - 1)
        return
    if phase == "taken":
        yield from _claim(state, worker, fault)
    elif phase == "claimed":
        early = fault == "complete before the effect"
        owner = DONE if early else state.owner
        if not early or state.owner == DONE:
            yield "has its effect", state.set(worker, "ran", effects=state.effects + 1)
        else:
            yield "completes before the effect", state.set(worker, "claimed", owner=owner)
        if state.failures:
            free = NOBODY if state.owner == worker else state.owner
            yield (
                "fails and releases",
                state.set(worker, "failed", failures=state.failures - 1, owner=free),
            )
    elif phase == "ran":
        is_mine = state.owner == worker or fault == "claim at intake"
        yield "completes", state.set(worker, "done", owner=DONE if is_mine else state.owner)
        if state.failures:
            yield (
                "cannot complete",
                state.set(
                    worker,
                    "finished",
                    failures=state.failures - 1,
                    owner=DEAD if state.owner == worker else state.owner,
                    repeats=state.repeats + 1,
                ),
            )
    elif phase == "failed":
        yield "puts the message back", state.set(worker, "finished", messages=state.messages + 1)
        yield "keeps a dead letter", state.set(worker, "finished", has_letter=True)
        if fault == "engine retry that loses":
            yield "acknowledges, and the new message is not written", state.set(worker, "idle")
    else:  # done, finished
        yield "acknowledges", state.set(worker, "idle")
    if state.kills:
        yield "is killed", _kill(state, worker, fault)


def _claim(state: State, worker: int, fault: Fault | None) -> Iterator[tuple[str, State]]:
    if fault == "claim at intake":
        yield "runs, claimed at intake", state.set(worker, "claimed")
    elif state.owner == DONE:
        yield "finds it done", state.set(worker, "done")
    elif state.owner == NOBODY:
        yield "claims", state.set(worker, "claimed", owner=worker)
    else:
        yield "finds it busy", state.set(worker, "failed")
    if state.failures:
        down = replace(state, failures=state.failures - 1)
        yield "finds the store down", down.set(worker, "failed")


def _kill(state: State, worker: int, fault: Fault | None) -> State:
    # What was taken and not acknowledged is the engine's again.
    back = 0 if fault == "acknowledge before the run" else 1
    return state.set(
        worker,
        "idle",
        kills=state.kills - 1,
        messages=state.messages + back,
        owner=DEAD if state.owner == worker else state.owner,
        repeats=state.repeats + (state.workers[worker] == "ran"),
    )


def _trace(state: State, came_from: dict[State, tuple[State, str] | None]) -> tuple[str, ...]:
    steps: list[str] = []
    before = came_from[state]
    while before is not None:
        steps.append(before[1])
        before = came_from[before[0]]
    return tuple(reversed(steps))


if __name__ == "__main__":
    for planted in (None, *FAULTS):
        exploration = explore(planted)
        print(f"{planted or 'the design'}: {exploration.states} states")
        if exploration.violation is not None:
            print(f"  {exploration.violation.invariant}:")
            for each in exploration.violation.steps:
                print(f"    {each}")
