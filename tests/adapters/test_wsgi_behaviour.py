"""The shared behaviour of ``dubhooks.wsgi``, with the validator of PEP 3333 around it."""

from wsgiref.validate import validator

from dubhooks import wsgi
from tests.support.adapters.behaviour import AdapterBehaviour, Setup
from tests.support.adapters.clients import Client, WsgiClient


class TestWsgi(AdapterBehaviour):
    """A sync handler."""

    # Only a server can bound how long a body may take.
    cannot = frozenset({"stall"})

    def mount(self, setup: Setup) -> Client:
        """Serve the receiver by itself."""
        return WsgiClient(validator(wsgi.app(setup.registry())))


class TestWsgiAsyncHandler(AdapterBehaviour):
    """An async handler, run on an event loop of its own."""

    cannot = frozenset({"stall"})

    def mount(self, setup: Setup) -> Client:
        """Serve the receiver by itself."""
        hooks = setup.registry(is_async=True)
        return WsgiClient(wsgi.app(hooks))
