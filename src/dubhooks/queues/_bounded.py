"""Calls of an engine that may hang, each given up after 15 seconds.

A server that is frozen keeps its connections, so no timeout of a driver helps.  The calls run in
threads of ours, eight at most: when all of them hang, others wait and are given up as well.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, wait
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["call_bounded"]

MOST_THREADS: Final = 8
MOST_SECONDS: Final = 15.0

ResultT = TypeVar("ResultT")


class _Threads:
    """Daemon threads, because one that hangs must not keep the process from ending."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._lock = Lock()
        self._count = 0
        self._unfinished = 0

    def submit(self, function: Callable[[], ResultT]) -> Future[ResultT]:
        future: Future[ResultT] = Future()
        with self._lock:
            if self._count < min(self._unfinished + 1, MOST_THREADS):
                Thread(target=self._run, name="dubhooks puts", daemon=True).start()
                self._count += 1
            self._unfinished += 1
        self._calls.put((future, function))
        return future

    def _run(self) -> None:
        while True:
            future, function = self._calls.get()
            try:
                if future.set_running_or_notify_cancel():
                    future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                future.set_exception(error)
            del future, function  # a message must not stay in a thread that waits
            with self._lock:
                self._unfinished -= 1


_threads = _Threads()


def _start_anew() -> None:
    global _threads
    _threads = _Threads()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_start_anew)


def call_bounded(function: Callable[[], ResultT]) -> ResultT:
    """Return what ``function`` returns, within 15 seconds.

    Raises:
        TimeoutError: it has not returned; if it had begun, it goes on.
    """
    future = _threads.submit(function)
    wait([future], MOST_SECONDS)
    if future.done():
        return future.result()
    future.cancel()
    raise TimeoutError(f"no answer within {MOST_SECONDS:.0f} seconds")
