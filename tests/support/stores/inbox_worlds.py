"""The three inboxes, each on the databases that it works with, behind one way to call them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from sqlalchemy import Engine, create_engine

from dubhooks import SQLiteInbox
from dubhooks.django import DjangoInbox
from dubhooks.stores.sqlalchemy import SQLAlchemyInbox, inbox_table

EVERY = [
    "sqlite3",
    *("sqlalchemy-postgresql", "sqlalchemy-mariadb", "sqlalchemy-sqlite"),
    *("django-postgresql", "django-mariadb", "django-sqlite"),
]


class World(NamedTuple):
    """An inbox with its table, and what its user does in a transaction."""

    make: Callable[..., Any]
    """Makes an inbox; takes ``namespace``."""
    begin: Callable[[], AbstractContextManager[Any]]
    """Opens a transaction, which is rolled back by an error; gives the inbox's arguments."""
    drop_table: Callable[[], object]


@contextmanager
def open_world(request: pytest.FixtureRequest, name: str) -> Generator[World]:
    """Open one of :data:`EVERY`."""
    library, _, database = name.partition("-")
    directory: Path = request.getfixturevalue("tmp_path")
    if library == "sqlite3":
        yield _of_sqlite3(directory / "app.db")
    elif library == "django":
        yield _of_django(request.getfixturevalue("alias_of")(database))
        connections.close_all()
    else:
        url = f"sqlite:///{directory}/app.db"
        if database != "sqlite":
            url = request.getfixturevalue(f"{database}_server").url()
        engine = create_engine(url)
        yield _of_sqlalchemy(engine)
        engine.dispose()


def _of_sqlite3(path: Path) -> World:
    @contextmanager
    def begin() -> Generator[Any]:
        with closing(sqlite3.connect(path)) as connection, connection:
            yield (connection,)

    def drop() -> None:
        with begin() as (connection,):
            connection.execute("DROP TABLE dubhooks_sqlite_inbox")

    with begin() as (connection,):
        SQLiteInbox().create_table(connection)
    return World(SQLiteInbox, begin, drop)


def _of_sqlalchemy(engine: Engine) -> World:
    @contextmanager
    def begin() -> Generator[Any]:
        with engine.begin() as connection:
            yield (connection,)

    inbox_table.drop(engine, checkfirst=True)
    SQLAlchemyInbox().create_table(engine)
    return World(SQLAlchemyInbox, begin, lambda: inbox_table.drop(engine))


def _of_django(alias: str) -> World:
    @contextmanager
    def begin() -> Generator[Any]:
        with transaction.atomic(using=alias):
            yield ()

    migrate = partial(call_command, "migrate", "dubhooks", database=alias, verbosity=0)
    migrate()
    with connections[alias].cursor() as cursor:
        cursor.execute("DELETE FROM dubhooks_inbox")
    return World(partial(DjangoInbox, using=alias), begin, partial(_drop, migrate))


def _drop(migrate: Any) -> None:
    call_command("migrate", "dubhooks", "zero", database=migrate.keywords["database"], verbosity=0)
