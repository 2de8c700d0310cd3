"""The shared behaviour of ``dubhooks.asgi``."""

from dubhooks import asgi
from tests.support.adapters.behaviour import AdapterBehaviour, Setup
from tests.support.adapters.clients import AsgiClient, Client


class TestAsgi(AdapterBehaviour):
    """An async handler."""

    def mount(self, setup: Setup) -> Client:
        """Serve the receiver by itself."""
        hooks = setup.registry(is_async=True)
        return AsgiClient(asgi.app(hooks, read_timeout=setup.read_timeout))


class TestAsgiSyncHandler(AdapterBehaviour):
    """A sync handler, run in a worker thread."""

    def mount(self, setup: Setup) -> Client:
        """Serve the receiver by itself."""
        return AsgiClient(asgi.app(setup.registry(), read_timeout=setup.read_timeout))
