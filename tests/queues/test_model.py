"""The model of queued handlers: the design holds, and every planted fault is found."""

import pytest

from tests.queues.model import FAULTS, Fault, explore


def test_design_holds() -> None:
    """No order of deliveries, kills, failures and lost replies loses or doubles an event."""
    exploration = explore()
    assert exploration.violation is None
    assert exploration.states > 10_000


@pytest.mark.parametrize(
    ("fault", "invariant"),
    [
        ("claim at intake", "no message, no completed claim and no dead letter"),
        ("complete before the effect", "never ran"),
        ("acknowledge before the run", "no message, no completed claim and no dead letter"),
        ("engine retry that loses", "no message, no completed claim and no dead letter"),
        ("no renewal", "two live runners"),
    ],
)
def test_planted_fault_is_found(fault: Fault, invariant: str) -> None:
    """Each design that we did not choose breaks an invariant, and the model says how."""
    violation = explore(fault).violation
    assert violation is not None
    assert invariant in violation.invariant
    assert violation.steps


def test_every_fault_is_tried() -> None:
    """The list of faults and the table above do not drift apart."""
    assert len(FAULTS) == 5
