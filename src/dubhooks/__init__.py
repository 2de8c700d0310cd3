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
    from . import queues as queues
    from . import stores as stores
    from . import testing as testing
    from . import webhooks as webhooks
    from . import wsgi as wsgi
    from ._explain import Explanation as Explanation
    from ._explain import explain as explain
    from .dead_letters import *
    from .errors import *
    from .events.unknown import *
    from .idempotency import *
    from .receiver import Receiver as Receiver
    from .receiver._typed import *
    from .reply import *
    from .signature import *
    from .stores.memory import *
    from .stores.sqlite import *

__version__ = "0.1.0"

_MODULES = "asgi errors health idempotency postbacks queues stores testing webhooks wsgi"
_ADAPTERS = "aws_lambda django fastapi flask"
"""Modules that a star import leaves out, since each may need a framework."""

_NAMES = {
    "_explain": "Explanation explain",
    "dead_letters": "DeadLetterDirectory DeadLetters",
    "errors": (
        "BodyCompressed BodyEmpty BodyIncomplete BodyTooLarge BodyTooSlow ConfigurationError "
        "DubhooksError EventFromFuture EventTooOld GivenUp InvalidEnvelope InvalidEvent "
        "InvalidJSON MethodNotAllowed PayloadError Problem Reject RetryLater SignatureMalformed "
        "SignatureMismatch SignatureMissing VerificationError"
    ),
    "events.unknown": "UnknownEvent",
    "idempotency": "AsyncStore Claim Store",
    "receiver": "Receiver",
    "receiver._typed": "Postbacks Webhooks",
    "reply": "DeliveryRecord Outcome Reply",
    "signature": "sign verify",
    "stores.memory": "MemoryStore",
    "stores.sqlite": "SQLiteInbox SQLiteStore",
}
"""Module → the public names that are found in it."""

_ELSEWHERE = {
    "django": "DjangoInbox DjangoQueue DjangoStore",
    "stores.redis": "AsyncRedisStore RedisStore",
    "stores.sqlalchemy": "AsyncSQLAlchemyStore SQLAlchemyInbox SQLAlchemyStore",
}
"""The same for names that need more than the core, and are public only there."""

_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}
_PUBLIC = sorted([*_MODULES.split(), *_MODULE_OF, "__version__"])

if not TYPE_CHECKING:  # type checkers read the imports above, and refuse any other name
    __all__ = _PUBLIC

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _MODULES.split() or name in _ADAPTERS.split():
            return import_module(f".{name}", __name__)
        if name in _MODULE_OF:
            value: object = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
            globals()[name] = value
            return value
        homes = [] if name.startswith("_") else _find_elsewhere(name)
        if homes:
            # ``from dubhooks import name`` would replace the message of an AttributeError.
            where = " and in ".join(homes)
            raise ImportError(f"{name} is in {where}: from {homes[0]} import {name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _find_elsewhere(name: str) -> list[str]:
    """Return the public modules that have ``name``."""
    from . import health, postbacks, testing, webhooks

    modules = (webhooks, postbacks, health, testing)
    homes = [it.__name__ for it in modules if name in vars(it)["__all__"]]
    homes += [f"{__name__}.{module}" for module, it in _ELSEWHERE.items() if name in it.split()]
    return homes


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, *_ADAPTERS.split()})
