"""Calls of an engine that may hang, each given up after 15 seconds.

A server that is frozen keeps its connections, so no timeout of a driver helps.  The calls run in
threads of ours, eight at most: when all of them hang, others wait and are given up as well.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import cache
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any, Final, TypeVar

MOST_THREADS: Final = 8
MOST_SECONDS: Final = 15.0

ResultT = TypeVar("ResultT")


class _Threads:
    """Daemon threads, because one that hangs must not keep the process from ending."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._idle = Semaphore(0)
        self._unused = Semaphore(MOST_THREADS)

    def call(self, function: Callable[[], ResultT]) -> ResultT:
        future: Future[ResultT] = Future()
        self._calls.put((future, function))
        if not self._idle.acquire(blocking=False) and self._unused.acquire(blocking=False):
            Thread(target=self._run, name="dubhooks puts", daemon=True).start()
        wait([future], MOST_SECONDS)
        if future.done():
            return future.result()
        future.cancel()
        raise TimeoutError(f"no answer within {MOST_SECONDS:.0f} seconds")

    def _run(self) -> None:
        while True:
            future, function = self._calls.get()
            try:
                if future.set_running_or_notify_cancel():
                    future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                future.set_exception(error)
            del future, function  # a message must not stay in a thread that waits
            self._idle.release()


_threads = cache(_Threads)

if hasattr(os, "register_at_fork"):  # not on Windows; a child has none of its parent's threads
    os.register_at_fork(after_in_child=_threads.cache_clear)


def call_bounded(function: Callable[[], ResultT]) -> ResultT:
    """Return what ``function`` returns, within 15 seconds.

    Raises:
        TimeoutError: it has not returned; if it had begun, it goes on.
    """
    return _threads().call(function)
