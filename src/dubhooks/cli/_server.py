"""An HTTP server for the loopback interface, on the standard library."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication  # new in Python 3.11


class _Handler(WSGIRequestHandler):
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Say nothing: the caller shows what happens."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    # A burst of connections waits in the backlog instead of being refused.
    request_queue_size = 256

    def server_bind(self) -> None:
        # The inherited method asks DNS for the host's name, which can take seconds offline.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: the client hung up."""


@contextmanager
def serving(application: WSGIApplication, port: int = 0) -> Generator[str, None, None]:
    """Serve ``application`` on a port of the loopback interface, 0 is a free one; yield its URL.

    Raises:
        OSError: the port is taken.
    """
    with _Server(("127.0.0.1", port), _Handler) as server:
        server.set_app(application)
        # The interval decides how long shutdown() takes.
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
