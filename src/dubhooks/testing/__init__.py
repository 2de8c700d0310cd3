"""Tests of code that receives Dub events: realistic events, signed requests, clients for apps.

body, headers = signed_request(make_event("sale.created"), "whsec_test")
reply = hooks.handle(body, headers)

Names are found when they are first used: the pytest plugin lives in this
package, and must cost nothing where nobody uses it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._factory_postbacks import make_postback as make_postback
    from ._making import make_unknown_event as make_unknown_event
    from ._overrides import ABSENT as ABSENT
    from ._signing import signed_request as signed_request
    from .clients import ASGIClient as ASGIClient
    from .clients import ClientFactory as ClientFactory
    from .clients import Delivered as Delivered
    from .clients import DjangoClient as DjangoClient
    from .clients import SignedClient as SignedClient
    from .clients import WSGIClient as WSGIClient
    from .contract import StoreContract as StoreContract
    from .events import make_event as make_event
    from .recording import RecordingStore as RecordingStore
    from .recording import StoreRecord as StoreRecord

_NAMES = {
    "make_event": "events",
    "make_postback": "_factory_postbacks",
    "make_unknown_event": "_making",
    "ABSENT": "_overrides",
    "signed_request": "_signing",
    "ASGIClient": "clients",
    "ClientFactory": "clients",
    "Delivered": "clients",
    "DjangoClient": "clients",
    "SignedClient": "clients",
    "WSGIClient": "clients",
    "StoreContract": "contract",
    "RecordingStore": "recording",
    "StoreRecord": "recording",
}

__all__ = [
    "ABSENT",
    "ASGIClient",
    "ClientFactory",
    "Delivered",
    "DjangoClient",
    "RecordingStore",
    "SignedClient",
    "StoreContract",
    "StoreRecord",
    "WSGIClient",
    "make_event",
    "make_postback",
    "make_unknown_event",
    "signed_request",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _NAMES:
        value: object = getattr(import_module(f".{_NAMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
