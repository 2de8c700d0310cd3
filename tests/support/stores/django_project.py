"""Databases of Django by their URL, in tests and in processes that have nothing else of Django."""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import urlencode, urlsplit

import django
from django.conf import settings
from django.db import connections

from dubhooks.django import DjangoStore


def configure() -> None:
    """Set Django up; tests have ``django_setup`` do it."""
    settings.configure(INSTALLED_APPS=["dubhooks.django"], LOGGING_CONFIG=None, USE_TZ=True)
    django.setup()


def database_at(url: str, **options: Any) -> dict[str, Any]:
    """Return Django's settings of a database; ``url`` is SQLAlchemy's, ``options`` are OPTIONS."""
    place = urlsplit(url)
    engine = place.scheme.partition("+")[0]
    if engine == "mysql":
        _have_driver()
    return {
        "ENGINE": f"django.db.backends.{engine}",
        # Its migrations remember which tables they made, and other tests drop those in "test".
        "NAME": "django",
        "USER": place.username,
        "HOST": place.hostname,
        "PORT": place.port,
        "CONN_MAX_AGE": None,
        # As behind PgBouncer in transaction mode.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": options,
    }


def add(alias: str, database: dict[str, Any]) -> None:
    """Add a database to those of the settings."""
    every: dict[str, Any] = {**connections.settings, alias: database}
    connections.settings = connections.configure_settings(every)


def alias_at(url: str, **options: Any) -> str:
    """Add a database to those of the settings, and return its alias."""
    alias = f"{url}?{urlencode(options)}"
    if alias not in connections.settings:
        add(alias, database_at(url, **options))
    return alias


def store_at(url: str, *, timeout: float = 10.0, **options: Any) -> DjangoStore:
    """Return a store that has not connected yet."""
    alias = alias_at(url, **options)
    assert connections[alias].connection is None  # its backend is imported now
    return DjangoStore(using=alias, timeout=timeout)


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start a call in a thread with a connection of its own."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def _have_driver() -> None:
    try:
        import_module("MySQLdb")  # mysqlclient, which needs a compiler
    except ImportError:
        import pymysql

        pymysql.version_info = (2, 2, 1, "final", 0)  # Django looks at mysqlclient's version
        pymysql.install_as_MySQLdb()
