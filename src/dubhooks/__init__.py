"""Receive Dub webhooks and partner postbacks: verified, typed, run once.

Public names are found when they are first used, so that importing the package
costs next to nothing and never imports a framework.
"""

TYPE_CHECKING = False  # typing alone would cost more than the rest of this module
if TYPE_CHECKING:
    from . import asgi as asgi
    from . import aws_lambda as aws_lambda
    from . import django as django
    from . import errors as errors
    from . import fastapi as fastapi
    from . import flask as flask
    from . import health as health
    from . import idempotency as idempotency
    from . import postbacks as postbacks
    from . import stores as stores
    from . import testing as testing
    from . import webhooks as webhooks
    from . import wsgi as wsgi
    from ._explain import Explanation as Explanation
    from ._explain import explain as explain
    from .dead_letters import DeadLetterDirectory as DeadLetterDirectory
    from .dead_letters import DeadLetters as DeadLetters
    from .errors import BodyCompressed as BodyCompressed
    from .errors import BodyEmpty as BodyEmpty
    from .errors import BodyIncomplete as BodyIncomplete
    from .errors import BodyTooLarge as BodyTooLarge
    from .errors import BodyTooSlow as BodyTooSlow
    from .errors import ConfigurationError as ConfigurationError
    from .errors import DubhooksError as DubhooksError
    from .errors import EventTooOld as EventTooOld
    from .errors import InvalidEnvelope as InvalidEnvelope
    from .errors import InvalidEvent as InvalidEvent
    from .errors import InvalidJSON as InvalidJSON
    from .errors import MethodNotAllowed as MethodNotAllowed
    from .errors import PayloadError as PayloadError
    from .errors import Problem as Problem
    from .errors import Reject as Reject
    from .errors import RetryLater as RetryLater
    from .errors import SignatureMalformed as SignatureMalformed
    from .errors import SignatureMismatch as SignatureMismatch
    from .errors import SignatureMissing as SignatureMissing
    from .errors import VerificationError as VerificationError
    from .events.unknown import UnknownEvent as UnknownEvent
    from .idempotency import AsyncStore as AsyncStore
    from .idempotency import Claim as Claim
    from .idempotency import Store as Store
    from .receiver import Receiver as Receiver
    from .receiver._typed import Postbacks as Postbacks
    from .receiver._typed import Webhooks as Webhooks
    from .reply import DeliveryRecord as DeliveryRecord
    from .reply import Outcome as Outcome
    from .reply import Reply as Reply
    from .signature import sign as sign
    from .signature import verify as verify
    from .stores.memory import MemoryStore as MemoryStore
    from .stores.sqlite import SQLiteInbox as SQLiteInbox
    from .stores.sqlite import SQLiteStore as SQLiteStore

__version__ = "0.1.0"

_MODULES = (
    "asgi",
    "aws_lambda",
    "django",
    "errors",
    "fastapi",
    "flask",
    "health",
    "idempotency",
    "postbacks",
    "stores",
    "testing",
    "webhooks",
    "wsgi",
)
_NAMES = {
    "Explanation": "_explain",
    "explain": "_explain",
    "DeadLetterDirectory": "dead_letters",
    "DeadLetters": "dead_letters",
    "BodyCompressed": "errors",
    "BodyEmpty": "errors",
    "BodyIncomplete": "errors",
    "BodyTooLarge": "errors",
    "BodyTooSlow": "errors",
    "ConfigurationError": "errors",
    "DubhooksError": "errors",
    "EventTooOld": "errors",
    "InvalidEnvelope": "errors",
    "InvalidEvent": "errors",
    "InvalidJSON": "errors",
    "MethodNotAllowed": "errors",
    "PayloadError": "errors",
    "Problem": "errors",
    "Reject": "errors",
    "RetryLater": "errors",
    "SignatureMalformed": "errors",
    "SignatureMismatch": "errors",
    "SignatureMissing": "errors",
    "VerificationError": "errors",
    "UnknownEvent": "events.unknown",
    "AsyncStore": "idempotency",
    "Claim": "idempotency",
    "Store": "idempotency",
    "Receiver": "receiver",
    "Postbacks": "receiver._typed",
    "Webhooks": "receiver._typed",
    "DeliveryRecord": "reply",
    "Outcome": "reply",
    "Reply": "reply",
    "sign": "signature",
    "verify": "signature",
    "MemoryStore": "stores.memory",
    "SQLiteInbox": "stores.sqlite",
    "SQLiteStore": "stores.sqlite",
}

__all__ = [
    "AsyncStore",
    "BodyCompressed",
    "BodyEmpty",
    "BodyIncomplete",
    "BodyTooLarge",
    "BodyTooSlow",
    "Claim",
    "ConfigurationError",
    "DeadLetterDirectory",
    "DeadLetters",
    "DeliveryRecord",
    "DubhooksError",
    "EventTooOld",
    "Explanation",
    "InvalidEnvelope",
    "InvalidEvent",
    "InvalidJSON",
    "MemoryStore",
    "MethodNotAllowed",
    "Outcome",
    "PayloadError",
    "Postbacks",
    "Problem",
    "Receiver",
    "Reject",
    "Reply",
    "RetryLater",
    "SQLiteInbox",
    "SQLiteStore",
    "SignatureMalformed",
    "SignatureMismatch",
    "SignatureMissing",
    "Store",
    "UnknownEvent",
    "VerificationError",
    "Webhooks",
    "__version__",
    "asgi",
    "errors",
    "explain",
    "health",
    "idempotency",
    "postbacks",
    "sign",
    "stores",
    "testing",
    "verify",
    "webhooks",
    "wsgi",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in _NAMES:
        value: object = getattr(import_module(f".{_NAMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
