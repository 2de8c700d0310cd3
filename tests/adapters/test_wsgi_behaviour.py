"""The shared behaviour of ``dubhooks.wsgi``, with the validator of PEP 3333 around it."""

from wsgiref.validate import validator

from dubhooks import wsgi
from tests.support.adapters.behaviour import AdapterBehaviour, Setup
from tests.support.adapters.clients import Client, WsgiClient


class TestWsgi(AdapterBehaviour):
    """A sync handler."""

    # Only a server can bound how long a body may take.
    cannot = frozenset({"stall"})
    is_async = False

    def mount(self, setup: Setup) -> Client:
        """Serve the receiver by itself."""
        return WsgiClient(validator(wsgi.app(setup.registry(is_async=self.is_async))))


class TestWsgiAsyncHandler(TestWsgi):
    """An async handler, run on an event loop of its own."""

    is_async = True
