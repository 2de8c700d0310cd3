"""Imports point one way, cost little, and never reach a framework or an HTTP client."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

import pytest

import dubhooks

PACKAGE = Path(dubhooks.__file__).parent

ROOMS: list[set[str]] = [
    {"errors"},
    {"_body", "_headers"},  # bytes → verified
    {"signature"},
    {"payload"},  # → event
    {"events"},
    {"webhooks", "postbacks"},
    {"_samples"},
    {"idempotency"},  # → claim
    {"reply"},  # → handler → reply
    {"dead_letters", "health"},
    {"receiver"},
    {"stores"},  # where claims live
    {"queues"},  # work later
    {"wsgi", "asgi"},  # doors
    {"aws_lambda", "flask", "fastapi", "django"},
    {"_explain"},  # workshop
    {"testing"},
    {"cli"},
    {"__main__"},
]
"""Folders and modules from the first to the last; each may import only those of earlier rows."""

CORE = set[str]().union(*ROOMS[:12]) | {"asgi", "wsgi", "aws_lambda"}
"""What must work with pydantic and typing-extensions alone."""

THIRD_PARTY = {
    # The drivers are imported when a URL names them.
    "stores.sqlalchemy": {"sqlalchemy", "asyncpg", "psycopg"}
}
"""What a folder of the core may import besides: nobody imports these without asking."""

FRAMEWORKS = {"django", "fastapi", "flask", "starlette", "werkzeug"}
CLIENTS = {"aiohttp", "h11", "httpcore", "httpx", "requests", "urllib3"}
OTHERS = {"anyio", "pytest", "redis", "rich", "sqlalchemy", "typer", "uvicorn", "valkey"}
UNWANTED = FRAMEWORKS | CLIENTS | OTHERS


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield the name, without the package's, and the source of every module."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts), ast.parse(path.read_text())


MODULES = dict(modules())


def module_of(path: str) -> str:
    """Return the module of this package that an import of ``path`` reads."""
    name = path.removeprefix("dubhooks").removeprefix(".")
    if name in dubhooks._MODULE_OF:
        return dubhooks._MODULE_OF[name]
    return name if name in MODULES or f"{name}.__init__" in MODULES else name.rpartition(".")[0]


@cache
def imports_of(name: str) -> tuple[set[str], set[str]]:
    """Return what a module imports at run time: modules of this package, and other packages."""
    package = ".".join(["dubhooks", *name.split(".")[:-1]])
    paths: list[str] = []
    nodes: list[ast.AST] = [MODULES[name]]
    for node in nodes:
        if isinstance(node, ast.Import):
            paths += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            paths += [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += node.orelse
        else:
            nodes += ast.iter_child_nodes(node)
    own = {path for path in paths if path.split(".")[0] == "dubhooks"}
    foreign = {path.split(".")[0] for path in paths} - {"dubhooks"}
    return {module_of(path) for path in own} - {""}, foreign


def row_of(module: str) -> int:
    """Return the row of a module's room."""
    [row] = [at for at, rooms in enumerate(ROOMS) if room_of(module) in rooms]
    return row


def room_of(module: str) -> str:
    """Return the folder, or the module, at the top of the package."""
    return module.split(".")[0]


def test_every_room_has_its_row() -> None:
    """The rows name each folder and module at the top once, and none that is not there."""
    tops = {room_of(name) for name in MODULES} - {"__init__"}
    assert sorted(room for rooms in ROOMS for room in rooms) == sorted(tops)


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"__init__"}))
def test_no_import_points_up(name: str) -> None:
    """A module imports only from its own folder and from earlier rows."""
    outside = {it for it in imports_of(name)[0] if room_of(it) != room_of(name)}
    assert {it for it in outside if row_of(it) >= row_of(name)} == set()


@pytest.mark.parametrize("name", sorted(it for it in MODULES if room_of(it) in CORE | {"__init__"}))
def test_the_core_needs_nothing_else(name: str) -> None:
    """The core imports the standard library, pydantic and typing-extensions."""
    allowed = {"pydantic", "pydantic_core", "typing_extensions", *sys.stdlib_module_names}
    allowed.add("annotationlib")  # of the standard library from Python 3.14 on
    folder = ".".join(name.split(".")[:2])
    assert imports_of(name)[1] - allowed <= THIRD_PARTY.get(folder, set())


def imported_by(statement: str) -> set[str]:
    """Return the modules that ``statement`` imports in a new interpreter."""
    script = f"""
import sys, json
before = set(sys.modules)
{statement}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    return set(json.loads(result.stdout))


def test_importing_the_package() -> None:
    """``import dubhooks`` imports that one module."""
    assert imported_by("import dubhooks") == {"dubhooks"}


@pytest.mark.parametrize(
    "statement",
    [
        "import dubhooks.receiver._typed, dubhooks.wsgi, dubhooks.asgi, dubhooks.aws_lambda",
        "from dubhooks import Webhooks, SQLiteStore; from dubhooks.testing import *",
        "import dubhooks.dead_letters, dubhooks.health, dubhooks.stores.memory",
        "import dubhooks; dubhooks.Webhooks('s', store=dubhooks.MemoryStore()).warm_up()",
    ],
)
def test_the_core_stays_the_core(statement: str) -> None:
    """No part of the core imports a framework, an HTTP client or the command line."""
    loaded = imported_by(statement)
    assert "dubhooks" in loaded
    assert not {it.split(".")[0] for it in loaded} & UNWANTED
    assert not {it for it in loaded if it.startswith("dubhooks.cli")}


def test_signing_and_verifying_load_no_models() -> None:
    """Who only signs or verifies waits for no model."""
    loaded = imported_by("import dubhooks; dubhooks.verify(b'x', dubhooks.sign(b'x', 's'), 's')")
    assert "pydantic" not in loaded
    assert not {it for it in loaded if it.startswith("dubhooks.events")}
