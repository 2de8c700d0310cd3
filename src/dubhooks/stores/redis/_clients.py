"""Clients of redis-py and valkey-py: opened from a URL, or checked when the user brings one."""

from __future__ import annotations

import copy
import inspect
import logging
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from ...errors import ConfigurationError

__all__ = ["check_client", "copy_client", "has_library", "open_client", "sets_timeout"]

logger = logging.getLogger("dubhooks")

_REDIS, _VALKEY = "redis", "valkey"
_LIBRARIES: Final = {
    "redis": (_REDIS, _VALKEY),
    "rediss": (_REDIS, _VALKEY),
    "unix": (_REDIS, _VALKEY),
    "valkey": (_VALKEY,),
    "valkeys": (_VALKEY,),
}
"""Which libraries read a URL, the first choice first."""

_TRIES: Final = 2
"""A reply that is lost with its connection is asked for once more, on a new connection."""
_WAITS: Final = 2 * _TRIES
"""How often a server can make one call wait as long as it may: to connect, and to answer."""


def has_library() -> bool:
    """Tell whether there is a library for the stores."""
    return any(find_spec(library) for library in (_REDIS, _VALKEY))


def open_client(url: str, timeout: float, *, is_async: bool) -> Any:
    """Return a client whose calls end within ``timeout`` seconds, unless the URL says otherwise.

    Raises:
        ConfigurationError: the URL cannot be read, or there is no library for it.
    """
    library = _choose_library(url)
    package = f"{library}.asyncio" if is_async else library
    errors = import_module(f"{library}.exceptions")
    no_backoff = import_module(f"{library}.backoff").NoBackoff()
    try:
        client = import_module(package).from_url(
            url,
            socket_connect_timeout=timeout / _WAITS,
            socket_timeout=timeout / _WAITS,
            retry=import_module(f"{package}.retry").Retry(no_backoff, _TRIES - 1),
            retry_on_error=[errors.ConnectionError, errors.TimeoutError],
        )
        _make_connection(client)
    except (TypeError, ValueError):
        # Theirs may quote a part of the URL, and there may be a password in it.
        raise ConfigurationError(
            f"the URL of the {library} server cannot be read: it looks like "
            "redis://user:password@host:6379/0?option=value, with special characters of the "
            "password percent-encoded, and options that the library knows"
        ) from None
    return client


def sets_timeout(url: str) -> bool:
    """Tell whether a URL has its own idea of how long to wait."""
    return (
        not parse_qs(urlsplit(url).query)
        .keys()
        .isdisjoint(("socket_timeout", "socket_connect_timeout"))
    )


def check_client(client: Any, timeout: float, *, is_async: bool) -> None:
    """Check a client that the user brings; warn when its calls may take longer than ``timeout``.

    Raises:
        ConfigurationError: it is no client, or one of the other kind.
    """
    store, other = ("AsyncRedisStore", "RedisStore")[:: 1 if is_async else -1]
    execute = getattr(client, "execute_command", None)
    is_client = hasattr(client, "register_script") and not isinstance(client, type)
    # A pipeline is a client by its class, and answers nothing until it is executed.
    if execute is None or not is_client or hasattr(client, "execute"):
        example = "redis.asyncio.Redis.from_url(url)" if is_async else "redis.Redis.from_url(url)"
        raise ConfigurationError(
            f"{store} needs a URL, or a client of redis-py or valkey-py such as {example}, and "
            f"not {type(client).__qualname__!r}"
        )
    if inspect.iscoroutinefunction(execute) != is_async:
        raise ConfigurationError(f"this is a client of the other kind: pass it to {other}")
    if not is_async:  # what the async store awaits it bounds itself
        _warn_about_long_waits(client, timeout)


def copy_client(client: Any) -> Any:  # pragma: no cover - in a forked child
    """Return a client like this one, with a pool of its own that has no connections yet."""
    copied = copy.copy(client)
    if hasattr(client, "connection_pool"):
        copied.connection_pool = copy.copy(client.connection_pool)
        copied.connection_pool.reset()
    return copied


def _choose_library(url: str) -> str:
    scheme = url.partition("://")[0].lower()
    libraries = _LIBRARIES.get(scheme)
    if libraries is None:
        raise ConfigurationError(
            f"the URL of a Redis server begins with {'://, '.join(_LIBRARIES)}://: give the store "
            "such a URL, or a client"
        )
    for library in libraries:
        if find_spec(library):
            return library
    raise ConfigurationError(f"a URL that begins with {scheme}:// needs valkey-py: install valkey")


def _warn_about_long_waits(client: Any, timeout: float) -> None:
    try:
        connection = _make_connection(client)
        wait, retry = connection.socket_timeout, connection.retry
    except Exception:  # noqa: BLE001 - a cluster or a class of the user's own: nothing is known
        return
    # Older versions do not tell it, and do not retry unless they are asked to.
    tries = 1 + retry.get_retries() if hasattr(retry, "get_retries") else 1
    if wait is not None and 0 < tries * wait <= timeout:
        return
    how_long = "for ever" if wait is None or tries < 1 else f"for {tries * wait:.0f} s"
    logger.warning(
        "a Redis server that stops answering holds each delivery %s (socket_timeout=%s, %d "
        "retries): create the client with socket_timeout=%g, socket_connect_timeout=%g and "
        "retry=Retry(NoBackoff(), 1), or give the store the server's URL",
        how_long,
        wait,
        tries - 1,
        timeout / _WAITS,
        timeout / _WAITS,
    )


def _make_connection(client: Any) -> Any:
    """Return a connection that is not open: it tells what the client's connections are like."""
    pool = client.connection_pool
    return pool.connection_class(**pool.connection_kwargs)
