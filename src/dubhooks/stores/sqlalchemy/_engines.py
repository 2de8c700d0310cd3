"""The engine of a store: one that somebody made for it, or one made from a URL."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, AsyncAdaptedQueuePool, Dialect, Engine, QueuePool, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from ...errors import ConfigurationError
from .._sql import find_vendor
from ._drivers import bound_psycopg, connect_psycopg_async, list_limits

_CONNECTIONS: Final = 10
"""So many are kept, and as many more in a burst: a claim needs one for a moment only."""
_EXAMPLES: Final = (
    "postgresql+psycopg://user:password@host/database",
    "postgresql+asyncpg://user:password@host/database",
)
"""For the store, and for the async one."""
_PSYCOPG: Final = ("psycopg", "psycopg_async")
"""SQLAlchemy has both names for the async driver."""
_STORES: Final = ("SQLAlchemyStore", "AsyncSQLAlchemyStore")


def get_engine(engine: object, *, is_async: bool) -> Engine:
    """Return the sync engine inside of one that somebody made for a store.

    Raises:
        ConfigurationError: it is none, one for the other store, or one that cannot hold claims.
    """
    inside = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    if not isinstance(inside, Engine):
        raise ConfigurationError(
            f"{_STORES[is_async]} takes the URL of a database, such as {_EXAMPLES[is_async]}, or "
            f"an engine that was made for it, and not {type(engine).__qualname__!r}"
        )
    _check_dialect(inside.dialect, is_async)
    _check_file(inside.url)
    if isinstance(inside.pool, (StaticPool, SingletonThreadPool)):
        raise ConfigurationError(
            f"{type(inside.pool).__name__} lends one connection to several callers, so a claim "
            "would commit or roll back what others do: give the store the URL of a database, and "
            "it has connections of its own"
        )
    return inside


def make_engine(url: str | URL, *, is_async: bool, seconds: float) -> Engine:
    """Return an engine for a store alone, with connections that commit every statement.

    Args:
        url: of the database.
        is_async: whether its driver must be an async one; it is the engine inside then.
        seconds: that a step, such as connecting or a statement, may take.

    Raises:
        ConfigurationError: no store can be made from this URL.
        ImportError: its driver is not installed.
    """
    url = _parse_url(url, is_async)
    driver = _get_dialect_class(url, is_async).driver
    arguments: dict[str, Any] = {**list_limits(driver, url, seconds)}
    if driver in _PSYCOPG and url.query.get("prepare_threshold") in ("none", "None"):
        arguments["prepare_threshold"] = None  # a pooler keeps no prepared statements
    options: dict[str, Any] = {
        "isolation_level": "AUTOCOMMIT",
        "pool_reset_on_return": None,  # nothing is left to be rolled back
        "poolclass": AsyncAdaptedQueuePool if is_async else QueuePool,
        "pool_size": _CONNECTIONS,
        "max_overflow": _CONNECTIONS,
        "pool_timeout": seconds,
        "connect_args": arguments,
    }
    if driver == "mysqlconnector":  # SQLAlchemy knew no AUTOCOMMIT of it for long
        del options["isolation_level"]
        arguments["autocommit"] = True
    if not is_async:
        engine = create_engine(url, **options)
        if driver == "psycopg":
            bound_psycopg(engine, seconds)
    else:
        if driver in _PSYCOPG:
            creator = connect_psycopg_async(lambda: engine, arguments, seconds)
            options["async_creator"] = creator
        engine = create_async_engine(url, **options).sync_engine
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _write_ahead)
    return engine


def _parse_url(url: str | URL, is_async: bool) -> URL:
    try:
        parsed = make_url(url)
        _check_dialect(_get_dialect_class(parsed, is_async), is_async)
    except (ArgumentError, ValueError):  # or a database that SQLAlchemy does not know
        # Its message would quote the URL, and the password in it.
        raise ConfigurationError(
            f"this is no URL of a database: write it as {_EXAMPLES[is_async]}, with special "
            "characters of the password quoted by urllib.parse.quote"
        ) from None
    _check_file(parsed)
    return parsed


def _get_dialect_class(url: URL, is_async: bool) -> type[Dialect]:
    dialect = url.get_dialect()
    return dialect.get_async_dialect_cls(url) if is_async else dialect


def _check_dialect(dialect: Dialect | type[Dialect], is_async: bool) -> None:
    find_vendor(dialect.name)
    if dialect.is_async != is_async:
        raise ConfigurationError(
            f"the driver {dialect.driver!r} is {'async' if dialect.is_async else 'not async'}: "
            f"pass it to {_STORES[dialect.is_async]}, or use {_EXAMPLES[is_async]}"
        )


def _check_file(url: URL) -> None:
    if not url.drivername.startswith("sqlite"):
        return
    path = url.database or ""
    if path in ("", "file:") or ":memory:" in path or "memory" in url.query.values():
        raise ConfigurationError(
            "a database in memory forgets every claim when its connection is closed, and other "
            "connections do not see them: name a file, as in sqlite:////var/lib/shop/claims.db, "
            "or use MemoryStore in tests"
        )
    if not path.startswith("file:") and not Path(path).absolute().parent.is_dir():
        raise ConfigurationError(f"the directory of {path} does not exist: make it first")


def _write_ahead(connection: Any, _record: object) -> None:
    # Readers and the one writer do not wait for each other then.
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()
