"""The program of each page about an engine, with its own commands, a server and a worker."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.queues.support.engine_workers import running_worker
from tests.queues.support.rabbitmq import RabbitMQServer
from tests.support.processes import importing, python, serving, until
from tests.support.servers import RedisServer

pytestmark = pytest.mark.slow

PAGES = Path(__file__).parents[2] / "docs" / "queues"
SECRET = "whsec_0123456789abcdef0123456789abcdef"
_MODULES = {"rq": "rq.cli"}
"""Programs whose module has another name."""
FILE = re.compile(r"^```python\n# (\S+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def write_program(name: str, place: Path) -> None:
    """Write the files of a page."""
    for path, code in FILE.findall((PAGES / name).read_text(encoding="utf-8")):
        file = place / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(code, encoding="utf-8")


def find_command(name: str, program: str) -> list[str]:
    """Return the page's command line of a program, run by this Python."""
    text = (PAGES / name).read_text(encoding="utf-8")
    [line] = re.findall(rf"^{program} .*$", text, re.MULTILINE)
    module, *arguments = shlex.split(line)
    return [sys.executable, "-m", _MODULES.get(module, module), *arguments]


def run_program(
    name: str, program: str, place: Path, *, says: str, times: int = 1, **environment: str
) -> None:
    """Deliver twice to the page's web application, and wait for its worker.

    Args:
        name: of the page.
        program: of its worker.
        place: for its files.
        says: what the worker's log says, ``times`` times, when it is done with the second copy.
        times: see there.
        environment: variables that the page sets.
    """
    write_program(name, place)
    environment |= {**importing(place), "DUB_WEBHOOK_SECRET": SECRET}
    web = python("-m", "flask", "--app", "shop.web", "run", "--port", "{port}")
    log = place / "worker.log"
    body, headers = signed_request(make_event(SaleCreated), SECRET)
    with (
        serving(web, place, environment) as server,
        running_worker(find_command(name, program), log, place, **environment),
    ):
        assert server.post("/webhooks/dub", body, headers)[0] == 202
        until(lambda: "sale of" in log.read_text(), "the handler runs")
        assert server.post("/webhooks/dub", body, headers)[0] == 202
        until(lambda: log.read_text().count(says) == times, "the second copy is a duplicate")
    assert log.read_text().count("sale of") == 1


def test_celery(tmp_path: Path) -> None:
    """Two copies of a delivery are answered 202, and the worker of the page runs one."""
    with RabbitMQServer() as rabbitmq:
        run_program("celery.md", "celery", tmp_path, says="duplicate", AMQP_URL=rabbitmq.url)


def test_rq(tmp_path: Path) -> None:
    """The same with RQ."""
    with RedisServer() as redis:
        run_program("rq.md", "rq", tmp_path, says="Job OK", times=2, RQ_REDIS_URL=redis.url)


def test_dramatiq(tmp_path: Path) -> None:
    """The same with Dramatiq."""
    with RedisServer() as redis:
        run_program("dramatiq.md", "dramatiq", tmp_path, says="duplicate", REDIS_URL=redis.url)


def test_dbos(tmp_path: Path) -> None:
    """A delivery is answered 202, and the worker of the page runs it."""
    write_program("dbos.md", tmp_path)
    environment = {**importing(tmp_path), "DUB_WEBHOOK_SECRET": SECRET}
    web = python("-m", "flask", "--app", "shop", "run", "--port", "{port}")
    log = tmp_path / "worker.log"
    command = find_command("dbos.md", "python -m dubhooks.queues.dbos")[3:]
    with serving(web, tmp_path, environment) as server:
        assert (
            server.post("/webhooks/dub", *signed_request(make_event(SaleCreated), SECRET))[0] == 202
        )
        with running_worker(python(*command), log, tmp_path, **environment):
            until(lambda: "sale of" in log.read_text(), "the worker runs the handler")
