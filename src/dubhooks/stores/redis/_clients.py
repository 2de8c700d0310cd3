"""Clients of redis-py and valkey-py: opened from a URL, or checked when the user brings one."""

from __future__ import annotations

import copy
import inspect
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from ...errors import ConfigurationError

_TRIES: Final = 2
"""A reply that is lost with its connection is asked for once more, on a new connection."""
_WAITS: Final = 2 * _TRIES
"""How often a server can make one call wait as long as it may: to connect, and to answer."""


def open_client(url: str, timeout: float, *, is_async: bool) -> Any:
    """Return a client whose calls end within ``timeout`` seconds, unless the URL says otherwise.

    Raises:
        ConfigurationError: the URL cannot be read.
        ImportError: there is no library for it.
    """
    library = "valkey" if url.startswith("valkey") or not find_spec("redis") else "redis"
    package = import_module(f"{library}.asyncio" if is_async else library)
    errors = import_module(f"{library}.exceptions")
    no_backoff = import_module(f"{library}.backoff").NoBackoff()
    try:
        client = package.from_url(
            url,
            socket_connect_timeout=timeout / _WAITS,
            socket_timeout=timeout / _WAITS,
            retry=import_module(f"{package.__name__}.retry").Retry(no_backoff, _TRIES - 1),
            retry_on_error=[errors.ConnectionError, errors.TimeoutError],
        )
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # refuses options that it does not know
    except (TypeError, ValueError):
        # Theirs may quote a part of the URL, and there may be a password in it.
        raise ConfigurationError(
            "the URL of the Redis server cannot be read: it looks like "
            "redis://user:password@host:6379/0?option=value, with special characters of the "
            f"password percent-encoded, and options that {library}-py knows"
        ) from None
    return client


def check_client(client: Any, *, is_async: bool) -> None:
    """Check a client that the user brings.

    Raises:
        ConfigurationError: it is no client, or one of the other kind.
    """
    execute = getattr(client, "execute_command", None)
    # A pipeline is a client by its class, and answers nothing until it is executed.
    is_client = execute is not None and not isinstance(client, type)
    if not is_client or hasattr(client, "execute"):
        raise ConfigurationError(
            "a store needs a URL, or a client of redis-py or valkey-py, and not "
            f"{type(client).__qualname__!r}"
        )
    if inspect.iscoroutinefunction(execute) != is_async:
        other = "RedisStore" if is_async else "AsyncRedisStore"
        raise ConfigurationError(f"this is a client of the other kind: pass it to {other}")


def copy_client(client: Any) -> Any:  # pragma: no cover - in a forked child
    """Return a client like this one, with a pool of its own that has no connections yet."""
    copied = copy.copy(client)
    if hasattr(client, "connection_pool"):
        copied.connection_pool = copy.copy(client.connection_pool)
        copied.connection_pool.reset()
    return copied
