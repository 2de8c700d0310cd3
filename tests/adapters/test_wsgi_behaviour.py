"""The shared behaviour of ``dubhooks.wsgi``."""

from behaviour import AdapterBehaviour, Setup
from clients import Client, WsgiClient

from dubhooks import wsgi


class TestWsgi(AdapterBehaviour):
    """A sync handler."""

    def mount(self, setup: Setup) -> Client:
        """Serve the receiver by itself."""
        return WsgiClient(wsgi.app(setup.registry(), read_timeout=setup.read_timeout))


class TestWsgiAsyncHandler(AdapterBehaviour):
    """An async handler, run on an event loop of its own."""

    def mount(self, setup: Setup) -> Client:
        """Serve the receiver by itself."""
        hooks = setup.registry(is_async=True)
        return WsgiClient(wsgi.app(hooks, read_timeout=setup.read_timeout))
