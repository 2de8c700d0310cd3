"""Settings of Redis and of its clients with which a queue could lose events, or hang."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import pytest
from redis import Redis

from dubhooks import ConfigurationError
from dubhooks.queues import Queue, _bounded
from tests.support.servers import RedisServer

__all__ = ["check_hanging_server", "check_server_settings"]


def check_server_settings(check: Callable[..., object], log: pytest.LogCaptureFixture) -> None:
    """Check what a queue refuses, and what it warns about."""
    with RedisServer() as server, Redis.from_url(server.url) as client:
        check(server.url)
        for name, bad, good, advice in (
            ("appendonly", "no", "yes", "set appendonly yes"),
            ("maxmemory-policy", "allkeys-lru", "noeviction", "set maxmemory-policy noeviction"),
        ):
            client.config_set(name, bad)
            with pytest.raises(ConfigurationError, match=advice):
                check(server.url)
            check(server.url, may_lose_events=True)
            client.config_set(name, good)
        assert not log.records
        client.execute_command("ACL SETUSER poor on >x ~* &* +@all -info -config")
        check(f"redis://poor:x@{server.host}:{server.port}/0")
    [record] = [it for it in log.records if it.name == "dubhooks"]
    assert record.levelno == logging.WARNING
    assert "appendonly yes" in record.getMessage()


def check_hanging_server(server: RedisServer, queue: Queue) -> None:
    """Check that neither a put nor a check of the settings hangs with its server."""
    queue.put_checked("a message")
    server.freeze()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_bounded, "MOST_SECONDS", 0.2)
            calls: list[Callable[[], None]] = [partial(queue.put, "another"), queue.check]
            for call in calls:
                with pytest.raises(TimeoutError):
                    call()
    finally:
        server.thaw()
