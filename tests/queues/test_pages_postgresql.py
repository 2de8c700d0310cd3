"""The programs of the pages whose engines are in PostgreSQL, with their own commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from typing_extensions import LiteralString

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.queues.support.engine_workers import running_worker
from tests.queues.test_pages import PAGES, SECRET, write_program
from tests.support.processes import importing, serving, until
from tests.support.servers import PostgreSQLServer

pytestmark = pytest.mark.slow


def find_commands(name: str) -> dict[str, list[str]]:
    """Return the page's command lines, run by this Python, by their last word but options."""
    text = (PAGES / name).read_text(encoding="utf-8")
    lines = re.findall(
        r"^(?:python -m )?((?:procrastinate|uvicorn|django) .*)$", text, re.MULTILINE
    )
    words = ("schema", "worker", "shop.web:app", "migrate", "runserver", "db_worker")
    return {
        word: [sys.executable, "-m", *line.split()]
        for line in lines
        for word in words
        if word in line.split()
    }


def run_page(
    name: str,
    commands: list[list[str]],
    place: Path,
    path: str,
    left: LiteralString,
    **environment: str,
) -> None:
    """Deliver an event twice to a page's web server; its worker has one effect.

    Args:
        name: of the page.
        commands: what makes the tables, the web server, and the worker.
        place: for the page's files.
        path: where the web server takes deliveries.
        left: a query that counts what the worker has yet to do.
        environment: what the page sets, where ``{port}`` is PostgreSQL's.
    """
    write_program(name, place)
    (place / "shop" / "__init__.py").touch()
    prepare, web, worker = commands
    log = place / "worker.log"
    body, headers = signed_request(make_event(SaleCreated), SECRET)
    with PostgreSQLServer() as postgresql:
        environment = {
            **importing(place),
            "DUB_WEBHOOK_SECRET": SECRET,
            **{key: it.replace("{port}", str(postgresql.port)) for key, it in environment.items()},
        }
        subprocess.run(prepare, cwd=place, env={**os.environ, **environment}, check=True)
        with (
            psycopg.connect(postgresql.url().replace("+psycopg", ""), autocommit=True) as client,
            serving(web, place, environment) as server,
            running_worker(worker, log, place, **environment),
        ):
            assert server.post(path, body, headers)[0] == 202
            until(lambda: "sale of" in log.read_text(), "the handler runs")
            assert server.post(path, body, headers)[0] == 202
            until(lambda: client.execute(left).fetchone() == (0,), "the second copy is done")
    assert log.read_text().count("sale of") == 1


def test_procrastinate(tmp_path: Path) -> None:
    """Two copies of a delivery are answered 202, and the worker of the page runs one."""
    commands = find_commands("procrastinate.md")
    run_page(
        "procrastinate.md",
        [commands["schema"], [*commands["shop.web:app"], "--port", "{port}"], commands["worker"]],
        tmp_path,
        "/webhooks/dub",
        "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'dubhooks'",
        DATABASE_URL="postgresql://dubhooks@127.0.0.1:{port}/test",
    )


def test_django(tmp_path: Path) -> None:
    """The same with Django's tasks."""
    pytest.importorskip("django_tasks_db")
    commands = find_commands("django.md")
    run_page(
        "django.md",
        [commands["migrate"], [*commands["runserver"], "{port}"], commands["db_worker"]],
        tmp_path,
        "/dub/webhook",
        "SELECT count(*) FROM django_tasks_database_dbtaskresult WHERE status <> 'SUCCESSFUL'",
        DJANGO_SETTINGS_MODULE="shop.settings",
        DJANGO_SECRET_KEY="a secret of Django's",
        PGHOST="127.0.0.1",
        PGPORT="{port}",
        PGUSER="dubhooks",
        PGDATABASE="test",
    )
