"""Calls of an engine that may hang, in threads of ours."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from threading import Event, Thread, get_ident

import pytest

from dubhooks.queues import _bounded
from dubhooks.queues._bounded import MOST_THREADS, call_bounded
from tests.support.processes import FORKING, python


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """What hanging calls wait for; a call is given up after a fifth of a second."""
    monkeypatch.setattr(_bounded, "MOST_SECONDS", 0.2)
    monkeypatch.setattr(_bounded, "_threads", cache(_bounded._Threads))
    event = Event()
    yield event
    event.set()


def test_result_and_error_are_passed_on() -> None:
    """A call returns and raises as it would without us, in another thread."""
    assert call_bounded(get_ident) != get_ident()
    with pytest.raises(ValueError, match="odd"):
        call_bounded(lambda: int("odd"))


def test_hanging_call_is_given_up(hanging: Event) -> None:
    """In time; the next call has another thread."""
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        call_bounded(hanging.wait)
    assert time.monotonic() - begin < 5
    assert call_bounded(lambda: "answer") == "answer"


def test_eight_threads_at_most(hanging: Event) -> None:
    """When all hang, the next call is given up too, and does not run when it is too late."""
    ran: list[int] = []
    threads: set[int] = set()

    def hang() -> None:
        threads.add(get_ident())
        hanging.wait()

    for _ in range(MOST_THREADS):
        with pytest.raises(TimeoutError):
            call_bounded(hang)
    with pytest.raises(TimeoutError):
        call_bounded(lambda: ran.append(1))
    assert len(threads) == MOST_THREADS
    hanging.set()
    assert call_bounded(get_ident) in threads
    assert ran == []


def test_calls_run_side_by_side() -> None:
    """One slow call does not delay another."""
    event = Event()
    slow = Thread(target=call_bounded, args=(event.wait,))
    slow.start()
    call_bounded(event.set)
    slow.join(10)
    assert not slow.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_forked_child_has_threads_of_its_own() -> None:
    """A server that loads the application before it forks has none of ours in its children."""
    script = """
import os, sys
from dubhooks.queues._bounded import call_bounded
assert call_bounded(lambda: 1) == 1
child = os.fork()
if not child:
    os._exit(call_bounded(lambda: 7))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    command = python(FORKING, "-c", script)
    assert subprocess.run(command, timeout=30, check=False).returncode == 7


def test_process_ends_while_a_call_hangs() -> None:
    """A frozen server keeps no web server from stopping."""
    script = """
import threading
from dubhooks.queues import _bounded
_bounded.MOST_SECONDS = 0.1
try:
    _bounded.call_bounded(threading.Event().wait)
except TimeoutError:
    print("given up")
"""
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, timeout=30, check=True, capture_output=True, text=True)
    assert ran.stdout == "given up\n"
