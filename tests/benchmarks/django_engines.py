"""``DjangoStore`` on its servers; the bare statements go through a cursor of Django's."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

from dubhooks.stores._sql import ClaimStatements
from tests.benchmarks.engines import (
    FINGERPRINT,
    LEASE,
    RETENTION,
    TOKEN,
    Engine,
    Handle,
    Target,
)
from tests.support.adapters import django_setup as django_setup  # before anything of Django's
from tests.support.servers import MariaDBServer, PostgreSQLServer
from tests.support.stores import django_project

# isort: split
from django.core.management import call_command
from django.db import connections

from dubhooks.django import DjangoStore

ROW = "'0123456789abcdef', 1, '{fingerprint}', TRUE, 0, 0, 4102444800000"
POSTGRESQL = (
    f"INSERT INTO dubhooks_claims SELECT 'default:evt_' || lpad(n::text, 24, '0'), {ROW} "
    "FROM generate_series({start}, {end} - 1) n"
)
MARIADB = (
    f"INSERT INTO dubhooks_claims SELECT concat('default:evt_', lpad(seq, 24, '0')), {ROW} "
    "FROM seq_0_to_99999999 WHERE seq >= {start} AND seq < {end}"
)
SIZE_POSTGRESQL = "SELECT pg_total_relation_size('dubhooks_claims')"
SIZE_MARIADB = (
    "SELECT file_size FROM information_schema.innodb_sys_tablespaces "
    "WHERE name = 'django/dubhooks_claims'"
)


@contextmanager
def _postgresql() -> Generator[Target]:
    with PostgreSQLServer("fsync=on", "max_wal_size=4GB") as server:
        yield _target("Django, PostgreSQL", server.url(), POSTGRESQL, SIZE_POSTGRESQL)


@contextmanager
def _mariadb() -> Generator[Target]:
    with MariaDBServer("--innodb-flush-log-at-trx-commit=1") as server:
        yield _target("Django, MariaDB", server.url(), MARIADB, SIZE_MARIADB)


def _target(name: str, url: str, rows: str, size: str) -> Target:
    alias = django_project.alias_at(url)
    call_command("migrate", "dubhooks", database=alias, verbosity=0)
    store = DjangoStore(using=alias)
    return Target(
        name, store, partial(_raw, store), partial(_fill, alias, rows), partial(_size, alias, size)
    )


def _raw(store: DjangoStore) -> Handle:
    connection = store._database.connection()
    cursor = connection.cursor()
    statements = ClaimStatements(connection.vendor, "format")
    sent: list[tuple[str, tuple[Any, ...]]] = []

    def execute(text: str, parameters: Any) -> tuple[list[Any], int]:
        cursor.execute(text, parameters)
        sent.append((text, parameters))
        return cursor.fetchall() if cursor.description else [], cursor.rowcount

    recorded = f"recorded:{id(cursor)}"
    options: dict[str, Any] = {"lease": LEASE, "retention": RETENTION}
    statements.claim(recorded, TOKEN, fingerprint=FINGERPRINT, **options)(execute, False)
    statements.complete(recorded, TOKEN, retention=RETENTION)(execute, False)

    def handle(key: str) -> None:
        for text, parameters in sent:
            cursor.execute(text, [key if each == recorded else each for each in parameters])
            if cursor.description:
                cursor.fetchall()

    return handle


def _fill(alias: str, rows: str, start: int, end: int) -> None:
    for first in range(start, end, 100_000):
        last = min(first + 100_000, end)
        _run(alias, rows.format(start=first, end=last, fingerprint=FINGERPRINT))


def _size(alias: str, statement: str) -> int:
    return int(_run(alias, statement)[0])


def _run(alias: str, statement: str) -> Any:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone() if statement.startswith("SELECT") else None


ENGINES: dict[str, Engine] = {
    "django-postgresql": _postgresql,
    "django-mariadb": _mariadb,
}
