"""Django: a receiver as a view, a decorator for views, and an app.

``view`` and ``webhook`` need nothing but Django.  With ``"dubhooks.django"`` in
``INSTALLED_APPS`` the setting ``DUBHOOKS`` gives the receivers ``hooks`` and
``postback_hooks``, handlers are found in every app's ``dubhooks_handlers``
module, and a migration makes the tables of ``DjangoStore`` and
``DjangoInbox``.

Names are found when they are first used: importing this module needs neither
settings nor loaded apps.
"""

from typing import TYPE_CHECKING

try:
    import django as _django  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ModuleNotFoundError as _error:
    raise ImportError("dubhooks.django needs Django: install dubhooks[django]") from _error

if TYPE_CHECKING:
    from ..receiver._typed import Postbacks, Webhooks
    from ._views import view as view
    from ._views import webhook as webhook
    from .inbox import DjangoInbox as DjangoInbox
    from .queue import DjangoQueue as DjangoQueue
    from .store import DjangoStore as DjangoStore

    hooks: Webhooks
    """The receiver of webhooks that ``settings.DUBHOOKS`` describes."""
    postback_hooks: Postbacks
    """The same for partner postbacks."""

__all__ = [
    "DjangoInbox",
    "DjangoQueue",
    "DjangoStore",
    "hooks",
    "postback_hooks",
    "view",
    "webhook",
]

_NAMES = {
    "DjangoInbox": "inbox",
    "DjangoQueue": "queue",
    "DjangoStore": "store",
    "view": "_views",
    "webhook": "_views",
}
_RECEIVERS = ("hooks", "postback_hooks")


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _RECEIVERS:
        # Not kept here: tests may change the settings.
        return getattr(import_module(f"{__name__}._settings"), name)()
    if name in _NAMES:
        value: object = getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
