"""What bounds a server that stops answering, driver by driver, for engines that the store makes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import monotonic
from typing import Any, Final

from sqlalchemy import URL, Engine, event

_MYSQL: Final = ("connect_timeout", "read_timeout", "write_timeout")
_LIMITS: Final[dict[str, tuple[str, ...]]] = {
    "aiosqlite": ("timeout",),
    "asyncpg": ("timeout", "command_timeout"),
    "mysqlconnector": ("connection_timeout", "read_timeout", "write_timeout"),
    "mysqldb": _MYSQL,
    "pg8000": ("timeout",),
    "psycopg": ("connect_timeout",),
    "psycopg2": ("connect_timeout",),
    "psycopg_async": ("connect_timeout",),
    "pymysql": _MYSQL,
    "pysqlite": ("timeout",),  # how long it waits for another writer
}
_WHOLE: Final = ("mysqlconnector", "mysqldb", "psycopg", "psycopg2", "psycopg_async")
"""Drivers that take whole seconds; libpq takes 1 for 2."""


def list_limits(driver: str, url: URL, seconds: float) -> dict[str, float]:
    """Return a driver's own settings that bound each of its steps.

    Args:
        driver: SQLAlchemy's name for it.
        url: what its query sets wins.
        seconds: that a step may take.

    Raises:
        ValueError: the URL sets one of them to what is no number.
    """
    limits: dict[str, float] = {}
    for name in _LIMITS.get(driver, ()):
        value: Any = url.query.get(name, seconds)
        limits[name] = max(2, round(float(value))) if driver in _WHOLE else float(value)
    return limits


def bound_psycopg(engine: Engine, seconds: float) -> None:
    """Let ``engine`` connect with psycopg so that no answer is waited for longer than this.

    No setting of libpq bounds the wait for a server that is frozen: its kernel acknowledges.
    """
    import psycopg

    connection_class = _bound(psycopg.Connection, seconds)

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, _record: object, arguments: Any, options: Any) -> Any:
        return connection_class.connect(*arguments, **options)


def connect_psycopg_async(
    get_engine: Callable[[], Engine], arguments: dict[str, Any], seconds: float
) -> Any:
    """Return what connects for an async engine, as :func:`bound_psycopg` does.

    Args:
        get_engine: returns the engine, which is made with what this returns.
        arguments: for psycopg, beside those in the engine's URL.
        seconds: that an answer may take.
    """
    import psycopg

    connection_class = _bound(psycopg.AsyncConnection, seconds)

    async def connect() -> Any:
        engine = get_engine()
        _, options = engine.dialect.create_connect_args(engine.url)
        return await connection_class.connect(**{**options, **arguments})

    return connect


def _bound(base: Any, seconds: float) -> Any:
    class Connection(base):  # type: ignore[misc]
        """Closes itself when the server does not answer in time."""

        def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
            # The async one returns an awaitable.
            return base.wait(self, _stop_in_time(self, gen, seconds), *arguments, **options)

    return Connection


def _stop_in_time(
    connection: Any, steps: Generator[Any, Any, Any], seconds: float
) -> Generator[Any, Any, Any]:
    # psycopg sends 0 several times a second while nothing comes.
    from psycopg import OperationalError

    deadline = monotonic() + seconds
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if not ready and monotonic() > deadline:
                connection.pgconn.finish()
                raise OperationalError("the server did not answer in time")
            wanted = steps.send(ready)
    except StopIteration as stop:
        return stop.value
