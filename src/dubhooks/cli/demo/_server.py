"""An HTTP server for the loopback interface, on the standard library."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from socketserver import TCPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

if TYPE_CHECKING:
    from collections.abc import Generator
    from wsgiref.types import WSGIApplication

__all__ = ["serving"]

_THREADS = 16


class _Handler(WSGIRequestHandler):
    timeout = 30

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Say nothing: the caller shows what happens."""


class _Server(WSGIServer):
    # A burst of connections waits in the backlog instead of being refused.
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # The inherited method asks DNS for the host's name, which can take seconds offline.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._pool.submit(self._process, request, client_address)

    def _process(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # the client hung up
        finally:
            self.shutdown_request(request)


@contextmanager
def serving(application: WSGIApplication) -> Generator[str, None, None]:
    """Serve ``application`` on a free port of the loopback interface; yield its URL."""
    with (
        ThreadPoolExecutor(_THREADS, "dubhooks-demo") as pool,
        _Server(("127.0.0.1", 0), pool) as server,
    ):
        server.set_app(application)
        # The interval decides how long shutdown() takes.
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
