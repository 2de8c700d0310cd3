"""The shared behaviour of ``dubhooks.asgi``."""

from dubhooks import asgi
from tests.support.adapters.behaviour import AdapterBehaviour, Setup
from tests.support.adapters.clients import AsgiClient, Client


class TestAsgi(AdapterBehaviour):
    """An async handler."""

    is_async = True

    def mount(self, setup: Setup) -> Client:
        """Serve the receiver by itself."""
        hooks = setup.registry(is_async=self.is_async)
        return AsgiClient(asgi.app(hooks, read_timeout=setup.read_timeout))


class TestAsgiSyncHandler(TestAsgi):
    """A sync handler, run in a worker thread."""

    is_async = False
