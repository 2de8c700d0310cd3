"""A TCP proxy between a client and a server that loses replies when it is told to."""

from __future__ import annotations

import contextlib
import socket
import threading

from typing_extensions import Self


class Proxy:
    """Listens on ``port`` and passes everything on to the server, until told otherwise."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.dropped = 0
        """How many replies were lost."""
        self.replies = 0
        """How many were passed on; a short one counts once."""
        self._replies_until_drop: int | None = None
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        # shutdown wakes the thread that waits in accept; close alone does not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def drop_reply(self, *, after: int = 0) -> None:
        """Lose a reply and cut its connection: the next one, or the one ``after`` as many."""
        with self._lock:
            self._replies_until_drop = after

    def cut(self) -> None:
        """Cut every connection."""
        with self._lock:
            for each in self._sockets:
                _close(each)
            self._sockets.clear()

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                _close(client)
                continue
            with self._lock:
                self._sockets += [client, server]
            self._start(self._pass_on, client, server, False)
            self._start(self._pass_on, server, client, True)

    def _pass_on(self, source: socket.socket, target: socket.socket, is_reply: bool) -> None:
        try:
            while data := source.recv(65_536):
                if is_reply and self._is_to_drop():
                    break
                self.replies += is_reply
                target.sendall(data)
        except OSError:
            pass
        _close(source)
        _close(target)

    def _is_to_drop(self) -> bool:
        with self._lock:
            if self._replies_until_drop is None:
                return False
            if self._replies_until_drop > 0:
                self._replies_until_drop -= 1
                return False
            self._replies_until_drop = None
            self.dropped += 1
            return True


def _close(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
