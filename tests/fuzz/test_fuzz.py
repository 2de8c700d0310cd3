"""The short form: a few thousand mutated deliveries for each target, the same ones every time."""

from random import Random

import pytest

from tests.fuzz.mutations import SEEDS, mutate
from tests.fuzz.targets import TARGETS

ROUNDS = {"parse": 4_000, "verify": 3_000, "handle": 3_000, "explain": 600}
MOST_BYTES = 6_000


def test_every_target_has_a_short_form() -> None:
    """No target is left out of CI."""
    assert set(ROUNDS) == set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_mutated_deliveries(target: str) -> None:
    """Whatever comes, only errors of ours are raised, nothing is lost, and nothing is shown."""
    check, random = TARGETS[target], Random(f"dubhooks {target}")
    pool = list(SEEDS)
    for data in (b"", b"\n\n", *SEEDS):
        check(data)
    for _ in range(ROUNDS[target]):
        data = mutate(random.choice(pool), random)
        try:
            check(data)
        except BaseException:
            print(data)
            raise
        if len(data) < MOST_BYTES:  # what was mutated is mutated again, but not for ever
            pool[random.randrange(len(pool))] = random.choice((data, random.choice(SEEDS)))
