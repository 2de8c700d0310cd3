"""Measure dubhooks beside floors, hand-written code and other libraries, and write a page.

``python -m tests.benchmarks`` takes some ten minutes on two cores.  It makes an environment for
the other libraries, starts servers of its own, and writes tables and plots.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

from tests.benchmarks.peers import REQUIREMENTS
from tests.benchmarks.report import Part, write_page
from tests.support.processes import ROOT

PARTS = ("core", "servers", "stores", "queues")


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    options = _read_options(arguments)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        peers = None if options.no_peers else options.peers or Path(directory) / "peers"
        measures = _choose_measures(options.quick, peers)
        parts = [_run(name, measures[name]) for name in options.parts or PARTS]
    introduction = [
        "Made by `python -m tests.benchmarks`: everything on this page was measured in one run. "
        "Absolute figures are those of one machine; the ratios are what counts, and each one is "
        "the median of what was measured side by side.",
        "",
        f"{datetime.now(timezone.utc):%Y-%m-%d}, {_describe_machine()}. "
        f"The run took {(time.monotonic() - begin) / 60:.0f} minutes.",
    ]
    if options.quick:
        introduction += ["", "**A trial of the command with `--quick`: its figures mean nothing.**"]
    write_page(parts, introduction, options.to)
    missed = [target for part in parts for target in part.targets if not target.holds]
    print(f"{options.to / 'index.md'}: {len(missed)} targets are missed")
    for target in missed:
        print(f"  {target.what}: {target.measured:.3g} {target.unit}, wanted {target.wanted:g}")


def _read_options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", help=f"of {', '.join(PARTS)}; all of them unless named")
    add("--to", type=Path, default=ROOT / "docs" / "benchmarks", help="where the page is written")
    add("--peers", type=Path, help="environment with the other libraries; made when not there")
    add("--no-peers", action="store_true", help="without other libraries")
    add("--quick", action="store_true", help="a few rounds, to see that the command works")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(unknown)}: choose of {', '.join(PARTS)}")
    return options


def _choose_measures(quick: bool, peers: Path | None) -> dict[str, Callable[[], Part]]:
    # What a part needs is imported when its turn comes: each has servers and drivers of its own.
    def measure_core() -> Part:
        from tests.benchmarks import core

        python = sys.executable if peers is None else _make_environment(peers)
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        return core.run(python, {**os.environ, "PYTHONPATH": paths}, 2 if quick else 40)

    def measure_servers() -> Part:
        from tests.benchmarks import serving

        return serving.main(*((1, 0.1) if quick else (15, 0.5)))

    def measure_stores() -> Part:
        from tests.benchmarks import stores

        return stores.main(0.05 if quick else 2.0)

    def measure_queues() -> Part:
        from tests.benchmarks import queueing

        return queueing.main(5 if quick else 1000)

    measures = (measure_core, measure_servers, measure_stores, measure_queues)
    return dict(zip(PARTS, measures, strict=True))


def _run(name: str, measure: Callable[[], Part]) -> Part:
    begin = time.monotonic()
    print(f"{name} ...", end=" ", flush=True)
    part = measure()
    print(f"{time.monotonic() - begin:.0f} s", flush=True)
    return part


def _make_environment(folder: Path) -> str:
    """Return the Python of the environment with the other libraries, which is made if need be."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, str(ROOT), *REQUIREMENTS], check=True)
    return str(python)


def _describe_machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = models[0] if models else platform.machine()
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return (
        f"{platform.system()} {platform.release()}, {os.cpu_count()} processors ({processor}), "
        f"load at the end {busy}"
    )


if __name__ == "__main__":
    main()
