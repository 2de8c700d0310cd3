"""The page of ``dubhooks listen`` in a real browser."""

import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dubhooks import sign
from dubhooks.testing import make_event, make_unknown_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support import chromium
from tests.support.chromium import Chromium
from tests.support.listening import SECRET, Application, Listener, listeners

ATTACK = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&lt;"
HANDLED = ("200 OK", [("Content-Type", "application/json")], b'{"outcome":"handled"}')


@pytest.fixture
def browser() -> Iterator[Chromium]:
    """A headless Chromium."""
    path = chromium.find()
    if path is None:
        pytest.skip("there is no Chromium")
    started = Chromium(path)
    yield started
    started.close()


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """Return a function that starts a listener."""
    with listeners() as start:
        yield lambda *options: start("--json", *options)


def open_page(browser: Chromium, listener: Listener) -> None:
    """Open the page, and wait until it is live."""
    browser.open(listener.url)
    browser.wait_for("document.getElementById('connection')?.textContent === 'live'")


def wait_for_titles(browser: Chromium, count: int) -> None:
    """Wait until so many deliveries have come."""
    browser.wait_for(f"document.title.startsWith('({count})')")


def listed(browser: Chromium) -> list[str]:
    """Return the lines of the list that are shown."""
    items = "[...document.querySelectorAll('#list li:not([hidden])')]"
    lines: list[str] = browser.value(f"{items}.map((one) => one.innerText.replace(/\\s+/g, ' '))")
    return lines


def test_the_newest_is_shown_until_one_is_picked(browser: Chromium, listen: Any) -> None:
    """A page without deliveries says how to send one; signature and event are shown apart."""
    listener = listen()
    open_page(browser, listener)
    assert f"dubhooks trigger sale.created --to {listener.url}" in browser.text("empty")
    event = make_event(SaleCreated, {"+data.newKey": 1})
    body, headers = signed_request(event, SECRET)
    listener.deliver(body, {"Dub-Signature": "0" * 64})
    wait_for_titles(browser, 1)
    assert browser.text("title") == "#1 sale.created"
    assert browser.text("signature").startswith("not valid\n")
    assert browser.text("event") == (
        f"sale.created {event.id}: SaleCreated\nunknown key: data.newKey (number)"
    )
    assert browser.text("answer") == "401 unauthorized"
    listener.deliver(*signed_request(b"[]", SECRET))
    wait_for_titles(browser, 2)
    assert browser.text("title") == "#2 no event"
    assert browser.text("signature") == "valid (webhook)"
    assert browser.text("event").startswith("no event: the body is JSON but not an object")
    browser.click("#list button", 1)
    listener.deliver(body, headers)
    wait_for_titles(browser, 3)
    assert browser.text("title") == "#1 sale.created"
    browser.click("#newest")
    assert browser.text("title") == "#3 sale.created"
    browser.value("document.querySelector('#list button').focus()")
    for key, title in (("ArrowDown", "#2 no event"), ("ArrowUp", "#3 sale.created")):
        browser.call("Input.dispatchKeyEvent", type="keyDown", key=key)
        assert browser.text("title") == title
    assert browser.text("body") == body.decode()
    assert '"event": "sale.created"' in browser.text("typed")
    assert browser.text("counts").split("\n") == ["1 unauthorized", "1 malformed", "1 ignored"]
    browser.click("#counts button", 0)
    assert [line[:15] for line in listed(browser)] == ["#1 sale.created"]
    assert browser.text("shown") == "1 of 3 shown"
    browser.click("#counts button", 0)
    field = "document.getElementById('filter')"
    for wanted, found in ((event.id.upper(), 2), ("no event", 1), ("not valid", 1), ("nothing", 0)):
        browser.value(f"{field}.value = {wanted!r}; {field}.dispatchEvent(new Event('input'))")
        assert len(listed(browser)) == found
    assert browser.complaints() == []


def test_a_replay_says_what_came_of_it(browser: Chromium, listen: Any, serve: Any) -> None:
    """Outcome and advice are shown in place, and the replay is a new entry; a body is copied."""
    application = Application(*HANDLED)
    url = serve(application)
    listener = listen("--forward-to", url)
    body, headers = signed_request(make_event(SaleCreated, {"data.eventName": "it's"}), SECRET)
    listener.deliver(body, headers)
    open_page(browser, listener)
    wait_for_titles(browser, 1)
    browser.click("#replay")
    wait_for_titles(browser, 2)
    browser.wait_for("document.getElementById('done').innerText.startsWith('replayed')")
    assert browser.text("done") == "replayed as #2: 200 handled"
    assert browser.text("title") == "#1 sale.created"
    assert listed(browser)[0].startswith("#2 sale.created replay of #1")
    assert len(application.requests) == 2
    browser.click("#list button", 0)
    assert browser.text("text") == '{"outcome":"handled"}'
    grant = ["clipboardReadWrite", "clipboardSanitizedWrite"]
    browser.call("Browser.grantPermissions", permissions=grant)
    browser.call("Page.bringToFront")
    browser.click("#copy-curl")
    browser.wait_for("document.getElementById('done').innerText.startsWith('copied')")
    command = shlex.split(browser.value("navigator.clipboard.readText()"))
    assert command[:2] == ["curl", url]
    assert f"dub-signature: {headers['Dub-Signature']}" in command
    assert command[-2:] == ["--data-raw", body.decode()]
    assert browser.complaints() == []


@pytest.mark.parametrize("is_signed", [True, False])
def test_nothing_that_is_delivered_is_run(
    browser: Chromium, listen: Any, serve: Any, is_signed: bool
) -> None:
    """Markup in every place that a sender controls is shown as text, and nothing of it runs."""
    answer = json.dumps(ATTACK).encode()
    application = Application("200 OK", [("Content-Type", "text/plain")], answer)
    listener = listen("--forward-to", serve(application))
    open_page(browser, listener)
    bodies = [
        make_unknown_event(ATTACK, {f"data.{ATTACK.replace('.', '')}": ATTACK}).to_json(),
        make_event(SaleCreated, {"data.eventName": ATTACK, f"+data.{ATTACK}": 1}).to_json(),
        make_event(SaleCreated, id=ATTACK).to_json(),
        ATTACK.encode(),
    ]
    for body in bodies:
        signature = sign(body, SECRET) if is_signed else ATTACK
        headers = {"Dub-Signature": signature, "X-Attack": ATTACK}
        listener.request("POST", "/<img>", body, headers)
    wait_for_titles(browser, len(bodies))
    for number in range(len(bodies)):
        browser.click("#list button", number)
        assert ATTACK in browser.value("document.body.innerText")
        assert browser.text("text").startswith('"</script>')
    assert browser.value("document.images.length") == 0
    assert browser.value("document.scripts.length") == 1
    assert browser.complaints() == []
