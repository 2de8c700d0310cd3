"""What is public, where it has its entry in the reference, and how its types read."""

from __future__ import annotations

import ast
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import dubhooks
from dubhooks import postbacks, webhooks
from dubhooks.events._family import Family
from dubhooks.receiver._settings import UNSET

FAMILIES: dict[str, ModuleType] = {"webhooks": webhooks, "postbacks": postbacks}
PACKAGE = Path(dubhooks.__file__).parent


def list_public_modules() -> list[str]:
    """Return the public modules: what the package names, and every store and engine."""
    names = [*FAMILIES, *dubhooks._MODULES.split(), *dubhooks._ADAPTERS.split()]
    for package in ("stores", "queues"):
        inside = pkgutil.iter_modules([str(PACKAGE / package)])
        names += [f"{package}.{it.name}" for it in inside if not it.name.startswith("_")]
    return list(dict.fromkeys(names))


def list_public_names() -> dict[str, object]:
    """Return every public class, function and value by its whole name, the shortest first."""
    found: dict[str, object] = {}
    for module in ("", *list_public_modules()):
        whole = f"dubhooks.{module}".rstrip(".")
        there = import_module(whole)
        found |= {f"{whole}.{name}": getattr(there, name) for name in list_names(there)}
    return found


def find_entries(names: dict[str, object]) -> dict[str, str]:
    """Return whole name → the name under which it has its entry: of two the first."""
    first: dict[int, str] = {}
    return {name: first.setdefault(id(value), name) for name, value in names.items()}


def list_missing(objects: set[str]) -> list[str]:
    """Return a line for each public name, or module, that has no entry in the reference.

    Args:
        objects: the whole names of the entries that there are.
    """
    names = find_entries(list_public_names())
    names |= {f"dubhooks.{it}": f"dubhooks.{it}" for it in list_public_modules()}
    return [
        f"{name} has no entry in the reference: see PAGES in docs/_ext/reference.py"
        for name, entry in names.items()
        if entry not in objects
    ]


def list_names(module: ModuleType) -> list[str]:
    """Return the public names of a module but modules: its ``__all__``, else all without ``_``."""
    listed: list[str] | None = getattr(module, "__all__", None)
    names = listed or [name for name in dir(module) if name[0].isalpha()]
    hidden = (ModuleType, Family, bool)
    return [it for it in names if it[0] != "_" and not isinstance(getattr(module, it), hidden)]


def _find_documented() -> dict[str, tuple[str, str]]:
    """Return name → (its source, its docstring) of what modules of the package assign."""
    found: dict[str, tuple[str, str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        body = ast.parse(file.read_text("utf-8")).body
        for block in [it for it in body if isinstance(it, ast.If)]:
            body += block.body
        for statement, after in zip(body, [*body[1:], ast.Pass()], strict=True):
            match statement:
                case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(ast.Name(name), _, value):
                    what = ""
                    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                        what = str(after.value.value)
                    found.setdefault(name, (ast.unparse(value) if value else "", what))
                case _:
                    pass
    return found


DOCUMENTED = _find_documented()
_ALIASES = "Dedupe|Duration|Headers|Observer|OneSecret|Seconds|Secret|Secrets"
_ALIAS = re.compile(rf"\b(?<!\.)({_ALIASES})\b(?!:)")


def make_readable(signature: str) -> str:
    """Return a signature, or an annotation, without names that only our own code knows."""
    while _ALIAS.search(signature):
        signature = _ALIAS.sub(lambda it: DOCUMENTED[it[1]][0], signature)
    for what, instead in (("datetime.", ""), (" | Unset", ""), (repr(UNSET), "...")):
        signature = signature.replace(what, instead)
    return signature
