"""From an empty project to a handler that is verified, typed and run once: eight lines.

The first block of each page is taken as it is, put into what the framework
itself starts a project with, and served by the framework's own server.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import PayoutConfirmed, SaleCreated
from tests.support.processes import python, serving

ROOT = Path(__file__).parents[2]
SECRET = "whsec_0123456789abcdef0123456789abcdef"
MOST = 8
BOILERPLATE = {
    "flask": {"from flask import Flask", "app = Flask(__name__)"},
    "fastapi": {"from fastapi import FastAPI", "app = FastAPI()"},
    "django": {"from django.urls import path", "urlpatterns = []  # your existing URLs"},
}


def first_block(page: Path) -> list[str]:
    """Return the lines of a page's first block of Python, empty ones left out."""
    block = re.search(r"(?ms)^```python\n(.*?)^```$", page.read_text(encoding="utf-8"))
    assert block
    return [line for line in block[1].splitlines() if line.strip()]


def own_lines(framework: str) -> list[str]:
    """Return what a user adds to the framework's boilerplate."""
    lines = first_block(ROOT / "docs" / f"{framework}.md")
    assert BOILERPLATE[framework] <= set(lines)
    return [line for line in lines if line not in BOILERPLATE[framework]]


def flask_project(directory: Path) -> list[str]:
    """Write the application and return the command that serves it."""
    (directory / "app.py").write_text("\n".join(first_block(ROOT / "docs" / "flask.md")))
    return python("-m", "flask", "--app", "app", "run", "--port", "{port}")


def fastapi_project(directory: Path) -> list[str]:
    """Write the application and return the command that serves it."""
    (directory / "app.py").write_text("\n".join(first_block(ROOT / "docs" / "fastapi.md")))
    return python("-m", "uvicorn", "app:app", "--port", "{port}")


def django_project(directory: Path) -> list[str]:
    """Have Django start a project, add the lines to it, and return the command that serves it."""
    started = python("-m", "django", "startproject", "site_", ".")
    subprocess.run(started, cwd=directory, check=True)
    with (directory / "site_" / "urls.py").open("a") as urls:
        urls.write("\n".join(own_lines("django")))
    return python("manage.py", "runserver", "--noreload", "{port}")


PROJECTS: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "flask": (flask_project, "/webhooks/dub"),
    "fastapi": (fastapi_project, "/webhooks/dub"),
    "django": (django_project, "/webhooks/dub/"),
}


@pytest.mark.parametrize("framework", PROJECTS)
def test_eight_lines_are_enough(framework: str, tmp_path: Path) -> None:
    """They make an endpoint that refuses forgeries and handles a sale once, with its typed data."""
    assert len(own_lines(framework)) <= MOST
    prepare, path = PROJECTS[framework]
    sale = make_event(SaleCreated, data__sale__amount=1900)
    body, headers = signed_request(sale, SECRET)
    payout = signed_request(make_event(PayoutConfirmed), SECRET)
    with serving(prepare(tmp_path), tmp_path, {"DUB_WEBHOOK_SECRET": SECRET}) as server:
        answers = [server.post(path, body, headers)[2] for _ in range(2)]
        assert answers == [b'{"outcome":"handled"}', b'{"outcome":"duplicate"}'], server.log
        assert server.post(path, body + b" ", headers)[0] == 401
        assert server.post(path, *payout)[0] == 501
        assert server.log.count(" 1900 cents\n") == 1


def test_eight_lines_in_the_readme() -> None:
    """The README's example and the one line that mounts it are no more."""
    assert len(first_block(ROOT / "README.md")) <= MOST
