"""The long form: atheris mutates deliveries, and keeps those that reach new code.

``pip install atheris``, then ``python -m tests.fuzz parse --runs 1000000 --corpus DIR``.  An input
that breaks a promise is written to a file; ``--replay FILE`` runs it again.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
import argparse
import sys
from importlib import import_module
from pathlib import Path
from random import Random

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

with atheris.instrument_imports(include=["dubhooks"]):
    import_module("dubhooks._explain")  # else it is imported when it is first called
    import_module("dubhooks._samples")
    from tests.fuzz.targets import TARGETS

from tests.fuzz.mutations import SEEDS, mutate

MOST_BYTES = 2_000


def main() -> None:
    """Fuzz one target."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, required=True, help="a folder for what was found")
    parser.add_argument("--replay", type=Path, help="run this input, and nothing else")
    options = parser.parse_args()
    check = TARGETS[options.target]
    if options.replay:
        check(options.replay.read_bytes())
        return
    options.corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(one for one in SEEDS if len(one) <= MOST_BYTES):
        (options.corpus / f"seed-{number:02}").write_bytes(seed)
    arguments = [
        *(sys.argv[0], f"-runs={options.runs}", f"-seed={options.seed}", "-timeout=10"),
        *(f"-max_len={MOST_BYTES}", f"-artifact_prefix={options.corpus}-", "-rss_limit_mb=4096"),
        *("-reload=0", "-print_final_stats=1", str(options.corpus)),
    ]
    atheris.Setup(arguments, check, custom_mutator=_mutate)
    atheris.Fuzz()


def _mutate(data: bytes, max_size: int, seed: int) -> bytes:
    random = Random(seed)
    if random.random() < 0.05:
        return bytes(atheris.Mutate(data, max_size)[:max_size])
    mutated = mutate(data, random)
    return mutated if len(mutated) <= max_size else data


main()
