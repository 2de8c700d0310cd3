"""The setting ``DUBHOOKS``: a dictionary, and the receivers that are built from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from django.conf import settings
from django.utils.module_loading import import_string

from ..dead_letters import DeadLetterDirectory
from ..errors import ConfigurationError
from ..receiver import Receiver
from ..receiver._typed import Postbacks, Webhooks
from .store import DjangoStore

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "KEYS",
    "POSTBACK_SECRET",
    "SECRETS",
    "WEBHOOK_SECRET",
    "build_receivers",
    "configured",
    "hooks",
    "postback_hooks",
    "secret_of",
]

ReceiverT = TypeVar("ReceiverT", bound=Receiver[Any])

WEBHOOK_SECRET: Final = "WEBHOOK_SECRET"  # noqa: S105 - a key
POSTBACK_SECRET: Final = "POSTBACK_SECRET"  # noqa: S105 - a key
SECRETS: Final = (WEBHOOK_SECRET, POSTBACK_SECRET)
_PASSED_ON: Final = ("NAMESPACE", "LEASE", "RETENTION", "MAX_AGE", "MAX_BODY")
KEYS: Final = frozenset({*SECRETS, "STORE", "DEAD_LETTERS", "OBSERVERS", *_PASSED_ON})
"""Every key that ``DUBHOOKS`` may have."""


@lru_cache(maxsize=1)
def hooks() -> Webhooks:
    """Return the receiver of webhooks that the settings describe.

    Raises:
        ConfigurationError: there is no setting ``DUBHOOKS``, or a value of it cannot work.
    """
    return _built(Webhooks, WEBHOOK_SECRET)


@lru_cache(maxsize=1)
def postback_hooks() -> Postbacks:
    """Return the receiver of postbacks that the settings describe.

    Raises:
        ConfigurationError: there is no setting ``DUBHOOKS``, or a value of it cannot work.
    """
    return _built(Postbacks, POSTBACK_SECRET)


def build_receivers() -> None:
    """Build the receivers that the settings have secrets for, if any.

    Raises:
        ConfigurationError: a value of the setting ``DUBHOOKS`` cannot work.
    """
    given = configured()
    if WEBHOOK_SECRET in given:
        hooks()
    if POSTBACK_SECRET in given:
        postback_hooks()


def configured() -> Mapping[str, Any]:
    """Return the setting ``DUBHOOKS``, empty when it is not there.

    Raises:
        ConfigurationError: it is not a dictionary.
    """
    given: object = getattr(settings, "DUBHOOKS", None)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            'DUBHOOKS must be a dictionary: DUBHOOKS = {"WEBHOOK_SECRET": os.environ[...]}'
        )
    return cast("Mapping[str, Any]", given)


def secret_of(key: str) -> Any:
    """Return the secret under ``key``, whatever it is; a callable there is called."""
    secret = configured().get(key)
    return secret() if callable(secret) else secret


def _built(kind: Callable[..., ReceiverT], secret_key: str) -> ReceiverT:
    given = configured()
    if secret_key not in given:
        raise ConfigurationError(
            f'there is no secret in the settings: DUBHOOKS = {{"{secret_key}": os.environ[...]}}'
        )
    arguments = {key.lower(): given[key] for key in _PASSED_ON if key in given}
    if secret_key == POSTBACK_SECRET:
        # Both receivers share a store, and the same sale may come to both.
        arguments["namespace"] = f"{given.get('NAMESPACE', 'default')}.postbacks"
    return kind(
        # Asked for every delivery, so that commands that need no secret run without one; the
        # system check names a missing one.
        lambda: secret_of(secret_key),
        store=_store(given.get("STORE", DjangoStore)),
        dead_letters=_dead_letters(given.get("DEAD_LETTERS")),
        observers=[_imported(observer) for observer in given.get("OBSERVERS", ())],
        **arguments,
    )


def _store(given: object) -> Any:
    store = _imported(given)
    is_factory = isinstance(store, type) or (callable(store) and not hasattr(store, "claim"))
    return store() if is_factory else store


def _dead_letters(given: object) -> Any:
    if isinstance(given, (str, os.PathLike)):
        return DeadLetterDirectory(os.fspath(cast("str | os.PathLike[str]", given)))
    return given


def _imported(given: object) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return import_string(given)
    except ImportError as error:
        raise ConfigurationError(f"DUBHOOKS names {given!r}, which cannot be imported") from error
