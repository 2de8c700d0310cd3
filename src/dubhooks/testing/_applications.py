"""What kind of application a client was given."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ConfigurationError
from ..receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["django_handler", "is_django", "kind_of", "unusable"]

_SCOPE_RECEIVE_SEND = 3
_ENVIRON_START_RESPONSE = 2


def kind_of(app: object) -> Literal["wsgi", "asgi"] | None:
    """Return what ``app`` is, by what it can be called with; ``None`` when that does not say."""
    if inspect.isclass(app) or not callable(app):
        return None
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__):
        return "asgi"
    takes = [
        count for count in (_ENVIRON_START_RESPONSE, _SCOPE_RECEIVE_SEND) if _takes(app, count)
    ]
    if len(takes) != 1:
        return None
    return "asgi" if takes == [_SCOPE_RECEIVE_SEND] else "wsgi"


def unusable(app: object) -> str:
    """Return why ``app`` is not an application, and what to do."""
    if isinstance(app, Receiver):
        return "this is a receiver: mount it, for example with dubhooks.wsgi.app(hooks)"
    kind = kind_of(app)
    if kind is not None:
        return f"this is one for {kind.upper()}Client"
    if callable(app):
        return (
            "if this makes an application, call it; and if it is one whose arguments do not show, "
            "use WSGIClient or ASGIClient itself"
        )
    return f"it cannot be called ({type(app).__name__}): pass the app itself"


def is_django(app: object) -> bool:
    """Tell whether ``app`` is what Django's ``get_wsgi_application()`` returns."""
    module = sys.modules.get("django.core.handlers.wsgi")
    return module is not None and isinstance(app, module.WSGIHandler)


def django_handler() -> Callable[[dict[str, Any]], Any]:
    """Return Django, as its own test client calls it, after setting it up if nobody has.

    Raises:
        ConfigurationError: Django is not installed.
    """
    try:
        import django
    except ModuleNotFoundError as error:
        raise ConfigurationError("Django is not installed: pass the app to deliver to") from error
    from django.apps import apps

    if not apps.ready:
        django.setup()
    from django.test.client import ClientHandler

    handler = ClientHandler()
    # What is wrong with the settings shows here, as when a server starts.
    handler.load_middleware()
    return handler


def _takes(app: Callable[..., object], count: int) -> bool:
    try:
        inspect.signature(app).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True
