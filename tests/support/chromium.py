"""A headless Chromium, driven over its debugging pipe with the standard library alone."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from itertools import count
from time import monotonic, sleep
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find() -> str | None:
    """Return the path of a Chromium, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """One browser with one page."""

    def __init__(self, path: str) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        flags += ["--remote-debugging-pipe", f"--user-data-dir={self._profile.name}"]
        # The browser reads commands from file descriptor 3 and writes answers to 4.
        start = f'exec "$@" 3<&{to_read} 4>&{to_write}'
        self._process = subprocess.Popen(
            ["bash", "-c", start, "bash", path, *flags],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._numbers = count(1)
        self._buffer = b""
        self.messages: list[dict[str, Any]] = []
        """What the page said unasked: console, exceptions, refused scripts, dialogs."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> Any:
        """Call a method of the debugging protocol on the page."""
        return self._call(method, session=self._session, **parameters)

    def open(self, url: str) -> None:
        """Go to a page."""
        self.call("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page, of a promise once it is kept."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        deadline = monotonic() + 20
        while not self.value(expression):
            assert monotonic() < deadline, expression
            sleep(0.02)

    def text(self, name: str) -> str:
        """Return what an element shows, found by its id."""
        shown: str = self.value(f"document.getElementById({name!r}).innerText")
        return shown

    def click(self, selector: str, number: int = 0) -> None:
        """Click on one of the elements that a CSS selector finds."""
        self.value(f"document.querySelectorAll({selector!r})[{number}].click()")

    def complaints(self) -> list[dict[str, Any]]:
        """Return exceptions, refused scripts and dialogs, in the page so far."""
        self.value("1")  # what was said before this is answered has come
        wanted = ("Log.entryAdded", "Runtime.exceptionThrown", "Page.javascriptDialogOpening")
        return [one for one in self.messages if one["method"] in wanted]

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(timeout=20)
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def _call(self, method: str, session: str | None = None, **parameters: object) -> Any:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        answer = self._next(lambda one: one.get("id") == number)
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self, is_wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            line, end, rest = self._buffer.partition(b"\0")
            if not end:
                chunk = os.read(self._from, 65_536)
                assert chunk, "the browser is gone"
                self._buffer += chunk
                continue
            self._buffer = rest
            message: dict[str, Any] = json.loads(line)
            if is_wanted(message):
                return message
            if "method" in message:
                self.messages.append(message)
