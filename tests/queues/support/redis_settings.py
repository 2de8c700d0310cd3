"""Settings of Redis and of its clients with which a queue could lose events, or hang."""

from __future__ import annotations

import logging
from typing import Any, Protocol

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dubhooks import ConfigurationError
from tests.support.servers import RedisServer

__all__ = ["UNBOUNDED", "check_server_settings"]

_BOUNDED: dict[str, Any] = {"socket_timeout": 5, "socket_connect_timeout": 5}
UNBOUNDED: list[dict[str, Any]] = [
    {"socket_timeout": None},
    _BOUNDED | {"socket_timeout": None, "retry": Retry(NoBackoff(), 0)},
    _BOUNDED | {"socket_connect_timeout": 16, "retry": Retry(NoBackoff(), 0)},
]
"""Options of clients whose calls may take longer than 15 seconds."""
if hasattr(Retry, "get_retries"):  # older ones do not retry what ran out of time
    UNBOUNDED.extend(_BOUNDED | {"retry": Retry(NoBackoff(), retries)} for retries in (3, -1))


class Check(Protocol):
    """Makes a queue and checks it."""

    def __call__(self, url: str, **options: Any) -> object:
        """Check a queue on the server at ``url``."""


def check_server_settings(check: Check, log: pytest.LogCaptureFixture) -> None:
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
