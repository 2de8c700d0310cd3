"""pytest fixtures; pytest finds them when dubhooks is installed.

Nothing but pytest is imported before a test asks for a fixture, so that a
suite that uses none does not pay for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..signature import Secret
    from . import ClientFactory, HeldQueue, RecordingStore


@pytest.fixture
def dub_secret() -> Secret:
    """The secret that dub_client signs with; override it to give your own."""
    return "whsec_0123456789abcdef0123456789abcdef"


@pytest.fixture
def dub_event() -> Callable[..., Any]:
    """The function make_event, which here takes the name of a webhook event as well."""
    from .. import webhooks
    from . import make_event

    def make(event: Any, /, *arguments: Any, **options: Any) -> Any:
        if event in webhooks.family.classes:
            # A class may have two names.
            options = {"event": event, **options}
            event = webhooks.family.classes[event]
        return make_event(event, *arguments, **options)

    return make


@pytest.fixture
def dub_store() -> RecordingStore:
    """A new store that records its calls: Webhooks(..., store=dub_store)."""
    from . import RecordingStore

    return RecordingStore()


@pytest.fixture
def dub_queue() -> HeldQueue:
    """A new queue that holds its messages until dub_queue.run(): on(..., queue=dub_queue)."""
    from . import HeldQueue

    return HeldQueue()


@pytest.fixture
def dub_client(dub_secret: Secret) -> ClientFactory:
    """A function of an app (WSGI or ASGI) that makes a signed client for it.

    Without an app it is one for the Django project, with the secret of its
    settings. path= says where the receiver is mounted, secret= gives another
    secret than that of dub_secret.
    """
    from .clients import ASGIClient, DjangoClient, WSGIClient, is_called_as

    def make(app: Any = None, /, *, path: str | None = None, secret: Secret | None = None) -> Any:
        at = {} if path is None else {"path": path}
        if app is None:
            return DjangoClient(secret, **at)
        client: Any = ASGIClient if is_called_as(app, "ASGI") else WSGIClient
        return client(app, dub_secret if secret is None else secret, **at)

    return make
