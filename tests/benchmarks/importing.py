"""What an import costs, and how much memory a process has then; memory of claims."""

from __future__ import annotations

import statistics
import subprocess
import sys

from tests.benchmarks.measuring import ratio_of
from tests.benchmarks.peers import IMPORTS
from tests.benchmarks.report import Part, Table, Target, number

PYDANTIC = "from pydantic import BaseModel, TypeAdapter"
PROGRAMS = {
    "pydantic": PYDANTIC,
    "**import dubhooks**": "import dubhooks",
    "**dubhooks, `Webhooks` and all models**": "from dubhooks import Webhooks, webhooks",
    "**dubhooks, ready for the first event**": (
        "import dubhooks; dubhooks.Webhooks('whsec_0123456789abcdef').warm_up()"
    ),
}
# CPU time and the most memory that this program (and not its parent) had.
MEASURE = """
import resource
spent = resource.getrusage(resource.RUSAGE_SELF)
status = open("/proc/self/status").read()
print(spent.ru_utime + spent.ru_stime, status.partition("VmHWM:")[2].split()[0])
"""
STORE = """
def resident():
    return int(open("/proc/self/status").read().partition("VmRSS:")[2].split()[0])
from dubhooks import MemoryStore
store = MemoryStore()
def handle(key):
    store.claim(key, "t" * 32, fingerprint=("%064x" % hash(key))[-64:], lease=60.0, retention=1e6)
    store.complete(key, "t" * 32, retention=1e6)
handle("default:warm")
before = resident()
for n in range({count}):
    handle("default:evt_%024d" % n)
print((resident() - before) / {count} * 1e6 / 1024)
"""


def measure_imports(part: Part, rounds: int) -> None:
    """Add the table of imports, with CPU time beyond an empty program."""
    programs = {"": "pass", **PROGRAMS}
    programs |= {name: code for name, code in IMPORTS.items() if _runs(code)}
    spent: dict[str, list[float]] = {name: [] for name in programs}
    memory: dict[str, float] = {}
    for turn in range(rounds + 1):
        for name, code in programs.items():
            seconds, kibibytes = _run(code + MEASURE).split()
            memory[name] = float(kibibytes) / 1024
            if turn:  # the first one may have compiled
                spent[name].append(float(seconds) * 1000)
    empty = spent.pop("")
    beyond = {
        name: [max(0.01, one - nothing) for one, nothing in zip(times, empty, strict=True)]
        for name, times in spent.items()
    }
    rows = [
        [
            name,
            f"{statistics.median(times):.1f} ms",
            number(ratio_of(times, beyond["pydantic"])),
            f"{memory[name]:.0f} MiB",
        ]
        for name, times in beyond.items()
    ]
    note = f"An empty program takes {statistics.median(empty):.0f} ms and {memory['']:.0f} MiB."
    columns = ["", "CPU beyond an empty program", "ratio to pydantic", "memory of the process"]
    part.tables.append(Table("Import", columns, rows, note))
    ratio = ratio_of(beyond["**import dubhooks**"], beyond["pydantic"])
    part.targets.append(Target("import dubhooks: to pydantic", ratio, 0.05))


def measure_store(part: Part, count: int) -> None:
    """Add what a million completed claims of a memory store take."""
    mebibytes = float(_run(STORE.replace("{count}", str(count))))
    what = f"MemoryStore: a million keys (from {count:,})"
    part.targets.append(Target(what, mebibytes, 400, unit="MiB"))


def _runs(code: str) -> bool:
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()
