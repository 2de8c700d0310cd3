"""Stores for claims, in modules that are imported when they are first used."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import memory as memory
    from . import redis as redis
    from . import sqlalchemy as sqlalchemy
    from . import sqlite as sqlite

_MODULES = ("memory", "redis", "sqlalchemy", "sqlite")


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
