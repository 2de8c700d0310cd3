"""The engines that fault tests run on, and what a run must have left behind."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

import dubhooks
from dubhooks.webhooks import SaleCreated
from tests.support.stores import workers
from tests.support.stores.workers import Line


class Backend(NamedTuple):
    """A server that runs, and how to open a store on it."""

    kind: str
    server: Any

    @property
    def url(self) -> str:
        """Where it is; a server that is no server is the path of a file of SQLite."""
        if self.kind == "sqlite":
            return str(self.server)
        url: str = self.server.url if self.kind == "redis" else self.server.url()
        return url.replace("/test", "/django") if self.is_django else url

    @property
    def is_django(self) -> bool:
        """Tell whether the stores are Django's."""
        return self.kind.startswith("django")

    def open(self) -> Any:
        """Return a store of this process."""
        return open_django(self.url) if self.is_django else workers.open_store(self.kind, self.url)

    @contextmanager
    def store(self) -> Generator[Any]:
        """Open a store in this process, and close its connections at the end."""
        store = self.open()
        try:
            yield store
        finally:
            close(store)

    def empty(self) -> None:
        """Delete all claims, and make the table."""
        if self.kind == "sqlite":
            return  # the file is the test's own
        if self.is_django:
            _empty_django(self.url)
            return
        if self.kind == "redis":
            import redis

            with redis.Redis.from_url(self.url) as client:
                client.flushall()
            return
        from sqlalchemy import create_engine

        from dubhooks.stores.sqlalchemy import metadata

        engine = create_engine(self.url)
        metadata.drop_all(engine)
        metadata.create_all(engine)
        engine.dispose()


def open_django(url: str, **options: Any) -> Any:
    """Return a store of Django's in this process."""
    import_module("tests.support.adapters.django_setup")  # sets Django up, once for all tests
    from tests.support.stores.django_project import store_at

    return store_at(url, **options)


def close(store: Any) -> Any:
    """Close the connections of a store; if the result is a coroutine, it does so."""
    if type(store).__module__ == "dubhooks.stores.sqlalchemy":
        # An engine may be the test's own: close() leaves that as it is.
        engine = store._database.engine
        if hasattr(store, "aclose"):
            return store._database._session.run_sync(lambda _: engine.dispose())
        return engine.dispose()
    if hasattr(store, "_client"):
        client = store._client
        return client.aclose() if hasattr(client, "aclose") else client.close()
    if isinstance(store, dubhooks.SQLiteStore):
        return store.close()
    from django.db import connections

    return connections.close_all()


def _empty_django(url: str) -> None:
    open_django(url)
    from django.core.management import call_command
    from django.db import connections

    from tests.support.stores.django_project import alias_at

    alias = alias_at(url)
    call_command("migrate", "dubhooks", database=alias, verbosity=0)
    with connections[alias].cursor() as cursor:
        cursor.execute("DELETE FROM dubhooks_claims")
        cursor.execute("DELETE FROM dubhooks_inbox")
    connections.close_all()


def check(lines: list[Line], events: int) -> int:
    """Check that nothing was lost, and repeated only where a crash fell; return how often it was.

    A worker writes ``end`` only after its claim was completed.  So an effect
    may be followed by another one of the same event only if its own worker
    never got that far.
    """
    effects: dict[str, list[_Effect]] = defaultdict(list)
    for line in lines:
        if line.what == "effect":
            effects[line.event_id].append(_Effect(line.process))
        elif line.what == "end":
            own = [each for each in effects[line.event_id] if each.process == line.process]
            own[-1].is_completed = True
    lost = {f"evt_{number}" for number in range(events)} - effects.keys()
    assert not lost, f"{len(lost)} events were lost"
    for event_id, runs in effects.items():
        assert not any(run.is_completed for run in runs[:-1]), f"{event_id} ran after it was done"
    return sum(len(runs) - 1 for runs in effects.values())


@dataclass
class _Effect:
    process: int
    is_completed: bool = False


class Receiver:
    """A receiver on a store of either kind, and a count of what its handler did."""

    def __init__(self, store: Any, **options: Any) -> None:
        self.effects: list[str] = []
        self.store = store
        self._loop = asyncio.new_event_loop()
        # Connections of Django belong to a thread, so there is one.
        self._loop.set_default_executor(ThreadPoolExecutor(1))
        self._hooks = dubhooks.Webhooks(workers.SECRET, store=store, max_age=None, **options)
        self._hooks.on(SaleCreated)(self._handle)

    def deliver(self, event_id: str) -> dubhooks.Reply:
        """Deliver an event on an event loop of the test's own."""
        return self.send(*workers.delivery_of(event_id))

    def send(self, body: bytes, headers: dict[str, str]) -> dubhooks.Reply:
        """Deliver a request."""
        return self._loop.run_until_complete(self._hooks.ahandle(body, headers))

    def close(self) -> None:
        """Close the connections and the loop."""
        closing = self._loop.run_until_complete(self._loop.run_in_executor(None, close, self.store))
        if closing is not None:
            self._loop.run_until_complete(closing)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _handle(self, event: SaleCreated) -> None:
        self.effects.append(event.id)
