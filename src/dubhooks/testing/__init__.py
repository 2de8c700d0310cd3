"""Tests of code that receives Dub events: realistic events, signed requests, clients for apps.

body, headers = signed_request(make_event(SaleCreated), "whsec_test")
reply = hooks.handle(body, headers)

Names are found when they are first used: the pytest plugin lives in this
package, and must cost nothing where nobody uses it.
"""

# ruff: noqa: F403, F405 - the names are listed once, below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .clients import *
    from .contract import *
    from .events import *
    from .queue_contract import *
    from .recording import *
    from .shop import *

__all__ = [
    "ABSENT",
    "ASGIClient",
    "ClientFactory",
    "Delivered",
    "DjangoClient",
    "HeldQueue",
    "QueueContract",
    "QueueShop",
    "QueueWorker",
    "RecordingStore",
    "SignedClient",
    "StoreContract",
    "WSGIClient",
    "make_event",
    "make_unknown_event",
    "signed_request",
]

_MODULES = ("events", "recording", "shop", "clients", "contract", "queue_contract")


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in __all__:
        for module in (import_module(f".{one}", __name__) for one in _MODULES):
            if name in module.__all__:
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
