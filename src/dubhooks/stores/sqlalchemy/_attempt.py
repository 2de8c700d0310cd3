"""One try of some work, on a connection of the engine's pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy.exc import DBAPIError

from ._errors import Retries, explained, is_unprepared

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine, PoolProxiedConnection

    from .._sql_watchdog import Watch, Watchdog

    Mode = Literal["switch", "commit", "none"]

__all__ = ["Again", "attempt"]

# What makes a driver's connection commit every statement, without asking the server.
_SWITCHES = {"postgresql": ("autocommit", True), "sqlite": ("isolation_level", None)}
# Drivers that refuse to switch while a transaction is open; with others one may be.
_TELLING = ("psycopg", "psycopg_async", "psycopg2")


class Again(Exception):
    """Another try is worth it."""

    def __init__(self, pause: float, is_torn: bool = False) -> None:
        """``pause``: seconds to wait before."""
        self.pause = pause
        self.is_torn = is_torn
        """PgBouncer gave a statement's preparation and execution to two server connections."""


def attempt(
    engine: Engine,
    mode: Mode,
    retries: Retries,
    watchdog: Watchdog | None,
    work: Callable[..., Any],
    *arguments: Any,
) -> Any:
    """Do ``work``, commit it, and return its result.

    The pool is used without an SQLAlchemy ``Connection``, which would cost as
    much again as the statement, and send a ``ROLLBACK`` after every commit.

    ``mode``: ``switch`` lets every statement commit itself, where drivers
    switch to that without asking the server; ``none`` is for connections that
    do so anyway.

    Raises:
        Again: another try is worth it.
        ConfigurationError: the database is set up in a way that cannot work.
        TimeoutError: the watchdog cut the connection.
        Exception: the driver's error.
    """
    loan: _Loan | None = None
    try:
        if retries.reconnections:
            # When the next connection is stale as well, SQLAlchemy notices and renews the pool.
            with engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
        loan = _Loan(engine, watchdog)
        return loan.use(mode, work, arguments)
    except Exception as error:
        if loan is not None:
            is_lost = loan.recover(error)
        else:
            is_lost = isinstance(error, DBAPIError) and error.connection_invalidated
        _raise_better(error, is_lost, engine, mode, retries)
        raise
    except BaseException:
        # Stopped in the middle: nobody knows what this connection would answer next.
        if loan is not None:
            loan.discard()
        raise


def _raise_better(
    error: Exception, is_lost: bool, engine: Engine, mode: Mode, retries: Retries
) -> None:
    driver: Any = engine.dialect.loaded_dbapi
    if isinstance(error, (DBAPIError, driver.Error)):
        if mode == "switch" and engine.dialect.driver == "asyncpg" and is_unprepared(error):
            # In a transaction both go to one.
            raise Again(0.0, is_torn=True) from error
        pause = retries.pause_after(error, is_lost)
        if pause is not None:
            raise Again(pause) from error
    better = explained(error)
    if better is not None:
        raise better from error


class _Loan:
    """A connection while it is out of the pool."""

    __slots__ = ("_before", "_connection", "_dialect", "_is_switched", "_watch", "_watchdog")

    def __init__(self, engine: Engine, watchdog: Watchdog | None) -> None:
        self._connection: PoolProxiedConnection = engine.pool.connect()
        self._dialect = engine.dialect
        self._watchdog = watchdog
        self._watch: Watch | None = None
        self._is_switched = False
        self._before: Any = None

    def use(self, mode: Mode, work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        connection = self._connection
        adapter: Any = connection.dbapi_connection
        if self._watchdog is not None:
            self._watch = self._watchdog.begin(adapter)
        if mode == "switch":
            self._switch(adapter)
        result = work(connection, *arguments)
        if self._is_switched:
            if self._dialect.driver not in _TELLING:
                adapter.commit()
            self._switch_back(adapter)
        elif mode != "none":
            adapter.commit()
        if self._watch is not None and self._is_cut():
            connection.invalidate()
        else:
            _give_back(connection)
        return result

    def _switch(self, adapter: Any) -> None:
        name, by_itself = _SWITCHES[self._dialect.name]
        self._before = getattr(adapter, name)
        if self._before == by_itself:
            return
        driver: Any = self._dialect.loaded_dbapi
        try:
            setattr(adapter, name, by_itself)
            self._is_switched = True
        except driver.Error:
            pass  # an event listener of the pool has begun a transaction: it is committed then

    def _switch_back(self, adapter: Any) -> None:
        setattr(adapter, _SWITCHES[self._dialect.name][0], self._before)

    def recover(self, error: Exception) -> bool:
        """Return the connection after an error, unless it was lost; tell whether it was.

        Raises:
            TimeoutError: the watchdog cut it.
        """
        driver: Any = self._dialect.loaded_dbapi
        adapter: Any = self._connection.dbapi_connection
        if adapter is None:  # pragma: no cover - a listener of the pool failed when it went back
            return False
        is_lost = self._dialect.is_disconnect(error, adapter, None)  # type: ignore[arg-type]
        if not is_lost:
            try:
                adapter.rollback()
                if self._is_switched:
                    self._switch_back(adapter)
            except driver.Error:
                is_lost = True
        if self._is_cut():
            self._connection.invalidate(error)
            raise TimeoutError("the database did not answer in time") from error
        if is_lost:
            self._connection.invalidate(error)
        else:
            _give_back(self._connection)
        return is_lost

    def discard(self) -> None:
        """Close the connection, whatever its state."""
        self._is_cut()
        if self._connection.is_valid:  # pragma: no branch - it may just have gone back
            self._connection.invalidate()

    def _is_cut(self) -> bool:
        watch, self._watch = self._watch, None
        return watch is not None and self._watchdog is not None and self._watchdog.end(watch)


def _give_back(connection: Any) -> None:
    # Nothing is open, so the pool need not roll back: as when a Connection ends a transaction.
    if hasattr(connection, "_close_special"):
        connection._close_special(transaction_reset=True)
    else:  # pragma: no cover - a later SQLAlchemy
        connection.close()
