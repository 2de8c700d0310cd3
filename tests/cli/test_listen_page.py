"""The page of ``dubhooks listen`` in a real browser."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dubhooks import sign
from dubhooks.testing import make_event, make_unknown_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support import chromium

SECRET = "whsec_0123456789abcdef0123456789abcdef"
ATTACK = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&lt;"


@pytest.fixture
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    path = chromium.find()
    if path is None:
        pytest.skip("there is no Chromium")
    started = chromium.Chromium(path)
    yield started
    started.close()


class Application:
    """What is developed behind the inspector."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer with something that wants to be markup."""
        self.bodies.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response("200 OK", [("Content-Type", "text/html")])
        return [ATTACK.encode()]


@pytest.fixture
def application() -> Application:
    """The application."""
    return Application()


@pytest.fixture
def url(serve: Any, application: Application) -> Iterator[str]:
    """The address of an inspector in front of the application."""
    command = [sys.executable, "-m", "dubhooks", "listen", "--json", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--forward-to", serve(application)],
        env={**os.environ, "DUB_WEBHOOK_SECRET": SECRET},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())["listening"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)


def deliver(url: str, body: bytes, headers: dict[str, str], path: str = "/") -> None:
    """Send a delivery."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request("POST", path, body, headers)
    connection.getresponse().read()
    connection.close()


def said(browser: Any) -> list[dict[str, Any]]:
    """Return what the page complained about, and what it asked."""
    browser.value("1")
    complaints = ("Log.entryAdded", "Runtime.exceptionThrown", "Page.javascriptDialogOpening")
    return [one for one in browser.messages if one["method"] in complaints]


def test_deliveries_appear_and_are_replayed(
    browser: Any, url: str, application: Application, tmp_path: Path
) -> None:
    """A delivery appears without reloading, with its typed view, and a click replays it."""
    browser.open(url)
    browser.wait_for("document.getElementById('connection')?.textContent === 'live'")
    assert browser.value("document.getElementById('here').textContent") == url
    body, headers = signed_request(make_event(SaleCreated, {"+data.newKey": 1}), SECRET)
    deliver(url, body, headers)
    browser.wait_for("document.querySelectorAll('#list button').length === 1")
    text = browser.value("document.getElementById('detail').innerText")
    assert "The signature is valid (webhook)." in text
    assert "unknown key: data.newKey (number)" in text
    assert "SaleCreated" in text
    assert body.decode() in browser.value("document.getElementById('body').textContent")
    browser.value("document.getElementById('replay').click()")
    browser.wait_for("!document.getElementById('replay').disabled")
    assert application.bodies == [body, body]
    deliver(url, b"[]", {})
    browser.wait_for("document.querySelectorAll('#list button').length === 2")
    browser.value("document.querySelector('#list button').click()")
    text = browser.value("document.getElementById('detail').innerText")
    assert "The signature is not valid." in text
    assert "there is no signature" in text
    assert said(browser) == []
    picture = tmp_path / "page.png"
    browser.screenshot(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize("is_signed", [True, False])
def test_nothing_that_is_delivered_is_run(browser: Any, url: str, is_signed: bool) -> None:
    """Markup in every place that a sender controls is shown as text, and nothing of it runs."""
    browser.open(url)
    browser.wait_for("document.getElementById('connection')?.textContent === 'live'")
    bodies = [
        make_unknown_event(ATTACK, {f"data.{ATTACK.replace('.', '')}": ATTACK}).to_json(),
        make_event(SaleCreated, {"data.eventName": ATTACK, f"+data.{ATTACK}": 1}).to_json(),
        make_event(SaleCreated, id=ATTACK).to_json(),
        ATTACK.encode(),
    ]
    for body in bodies:
        signature = sign(body, SECRET) if is_signed else ATTACK
        deliver(url, body, {"Dub-Signature": signature, "X-Attack": ATTACK}, "/<img>")
    count = len(bodies)
    browser.wait_for(f"document.querySelectorAll('#list button').length === {count}")
    for number in range(count):
        browser.value(f"document.querySelectorAll('#list button')[{number}].click()")
        shown = browser.value("document.body.innerText")
        assert ATTACK in shown
    assert browser.value("document.images.length") == 0
    assert browser.value("document.scripts.length") == 1
    assert said(browser) == []
