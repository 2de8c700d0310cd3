"""A bound for drivers that wait for ever for a server that is alive and stuck."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from time import monotonic, sleep
from typing import Any

__all__ = ["Watch", "Watchdog"]

_PAUSES = 8
"""How often the thread looks in the time that a statement may take."""
_LONGEST_PAUSE = 1.0


class Watch:
    """A statement that runs."""

    __slots__ = ("deadline", "fileno", "is_cut")

    def __init__(self, deadline: float, fileno: int) -> None:
        self.deadline = deadline
        self.fileno = fileno
        self.is_cut = False


class Watchdog:
    """Cuts connections whose server does not answer in time, so that the driver gives up.

    No driver of PostgreSQL bounds this wait: the kernel of a machine whose
    server is stuck goes on to acknowledge what is sent to it.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._pause = min(seconds / _PAUSES, _LONGEST_PAUSE)
        # Whoever removes a watch owns its file descriptor; adding and removing are atomic.
        self._watches: set[Watch] = set()
        self._is_used = False
        self._process: int | None = None
        """Where the thread runs that looks: it does not survive a fork."""

    def begin(self, connection: Any) -> Watch | None:
        """Watch a driver's connection until :meth:`end`, if its socket can be found."""
        fileno = _fileno_of(connection)
        if fileno is None:
            return None
        watch = Watch(monotonic() + self._seconds, fileno)
        self._watches.add(watch)
        self._is_used = True
        if self._process != os.getpid():
            # Two threads instead of one do no harm.
            self._process = os.getpid()
            with suppress(RuntimeError):  # the interpreter ends and starts no more threads
                threading.Thread(target=self._look, name="dubhooks", daemon=True).start()
        return watch

    def end(self, watch: Watch | None) -> bool:
        """Stop watching; tell whether the connection was cut."""
        if watch is None:
            return False
        try:
            self._watches.remove(watch)
        except KeyError:
            # The descriptor must not be closed, and used for another socket, before it is cut.
            while not watch.is_cut:
                sleep(0.001)
            return True
        return False

    def _look(self) -> None:
        while True:
            self._is_used = False
            sleep(self._pause)
            now = monotonic()
            for watch in self._watches.copy():
                if watch.deadline <= now:
                    self._cut(watch)
            if not self._is_used:
                # From here on whoever begins starts another thread; whoever began is seen.
                self._process = None
                if not self._watches:
                    return

    def _cut(self, watch: Watch) -> None:
        try:
            self._watches.remove(watch)
        except KeyError:  # pragma: no cover - it has ended since the last line
            return
        try:
            connection = socket.socket(fileno=watch.fileno)
            try:
                connection.shutdown(socket.SHUT_RDWR)
            finally:
                connection.detach()  # it is the driver's to close
        except OSError:
            pass  # the server was quicker
        finally:
            watch.is_cut = True


def _fileno_of(connection: Any) -> int | None:
    fileno = getattr(connection, "fileno", None)
    if fileno is None:
        # pymysql has its socket in a private attribute.
        fileno = getattr(getattr(connection, "_sock", None), "fileno", None)
    return None if fileno is None else int(fileno())
