"""The names of the package: the same for people, type checkers and the interpreter."""

import ast
import inspect
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

import dubhooks

SOURCE = Path(dubhooks.__file__)
PUBLIC: list[str] = vars(dubhooks)["__all__"]
"""What a star import takes; type checkers have the imports instead."""
ADAPTERS = set(dubhooks._ADAPTERS.split())
"""Modules that may need something that is not installed."""


def names_in(module: str) -> list[str]:
    """Return the names that the package knows to be in an optional module."""
    return dubhooks._ELSEWHERE[module].split()


def names_for_type_checkers() -> dict[str, str]:
    """Return name → module of what the ``TYPE_CHECKING`` block imports."""
    tree = ast.parse(SOURCE.read_text())
    [block] = [
        node
        for node in tree.body
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    ]
    found: dict[str, str] = {}
    for statement in block.body:
        assert isinstance(statement, ast.ImportFrom)
        assert statement.level == 1
        for alias in statement.names:
            module = statement.module or alias.name
            names = (
                import_module(f"dubhooks.{module}").__all__ if alias.name == "*" else [alias.name]
            )
            # Only these forms export a name (PEP 484).
            assert alias.name == "*" or alias.asname == alias.name
            found |= dict.fromkeys(names, module)
    return found


def test_type_checkers_see_what_there_is() -> None:
    """Every name is found at run time in the module that type checkers import it from."""
    modules = {*dubhooks._MODULES.split(), *ADAPTERS}
    at_run_time = dubhooks._MODULE_OF | {name: name for name in modules}
    assert names_for_type_checkers() == at_run_time
    # A star import must not need a framework.
    assert set(PUBLIC) == {*at_run_time, "__version__"} - ADAPTERS
    assert len(PUBLIC) == len(set(PUBLIC))


def test_every_error_is_public() -> None:
    """Whatever dubhooks raises can be caught by a name of the package."""
    raised = {name for name, it in vars(dubhooks.errors).items() if isinstance(it, type)}
    ours = {name for name in raised if issubclass(getattr(dubhooks.errors, name), Exception)}
    assert ours <= set(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_name_resolves(name: str) -> None:
    """A public name gives what its module calls so, the same each time, with a docstring."""
    value = getattr(dubhooks, name)
    assert getattr(dubhooks, name) is value
    if name in dubhooks._MODULE_OF:
        module = import_module(f"dubhooks.{dubhooks._MODULE_OF[name]}")
        assert value is getattr(module, name)
        assert name in module.__all__
    if isinstance(value, type) or inspect.isfunction(value) or isinstance(value, ModuleType):
        assert inspect.getdoc(value)


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_adapters_resolve_or_say_what_is_missing(name: str) -> None:
    """An adapter's module is there once its framework is installed."""
    try:
        assert isinstance(getattr(dubhooks, name), ModuleType)
    except ImportError as error:
        assert f"dubhooks[{name}]" in str(error)  # noqa: PT017 - it depends on what is there


@pytest.mark.parametrize("name", ["webhook", "Webhook", "_missing", "__path"])
def test_unknown_names(name: str) -> None:
    """A name that is not there is an AttributeError that names it."""
    with pytest.raises(AttributeError, match=f"module 'dubhooks' has no attribute '{name}'"):
        getattr(dubhooks, name)


@pytest.mark.parametrize(
    ("name", "homes"),
    [
        ("PayoutConfirmed", ["dubhooks.webhooks"]),
        ("SaleCreated", ["dubhooks.webhooks", "dubhooks.postbacks"]),
        ("PostbackSale", ["dubhooks.postbacks"]),
        ("make_event", ["dubhooks.testing"]),
        ("FailureWatch", ["dubhooks.health"]),
        *((name, [f"dubhooks.{it}"]) for it in dubhooks._ELSEWHERE for name in names_in(it)),
    ],
)
def test_names_that_are_elsewhere(name: str, homes: list[str]) -> None:
    """Whoever imports a public name from the wrong place is told the right one."""
    message = f"{name} is in {' and in '.join(homes)}: from {homes[0]} import {name}"
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        exec(f"from dubhooks import {name}")  # noqa: S102
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        getattr(dubhooks, name)
    for home in homes:
        assert name in import_module(home).__all__
    assert name not in dir(dubhooks)


def test_the_version() -> None:
    """The version is that of the distribution's metadata."""
    assert dubhooks.__version__ == version("dubhooks")
    assert re.fullmatch(r"\d+\.\d+\.\d+", dubhooks.__version__)


@pytest.mark.parametrize("name", ["memory", "redis", "sqlalchemy", "sqlite"])
def test_a_store_is_reached_by_name(name: str) -> None:
    """``dubhooks.stores.redis`` needs no import of its own; a misspelt name says so."""
    program = f"import dubhooks; print(dubhooks.stores.{name}.__name__)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"dubhooks.stores.{name}\n"
    assert getattr(dubhooks.stores, name).__name__ == f"dubhooks.stores.{name}"
    assert name in dir(dubhooks.stores)
    with pytest.raises(AttributeError, match=f"no attribute '{name}z'"):
        getattr(dubhooks.stores, f"{name}z")
