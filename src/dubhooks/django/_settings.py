"""The setting ``DUBHOOKS``: a dictionary, and the receivers that are built from it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

from django.conf import settings
from django.utils.module_loading import import_string

from ..dead_letters import DeadLetterDirectory
from ..errors import ConfigurationError
from ..receiver import Receiver
from ..receiver._typed import Postbacks, Webhooks
from .store import DjangoStore

ReceiverT = TypeVar("ReceiverT", bound=Receiver[Any])

WEBHOOK_SECRET: Final = "WEBHOOK_SECRET"  # noqa: S105 - a key
POSTBACK_SECRET: Final = "POSTBACK_SECRET"  # noqa: S105 - a key
SECRETS: Final = (WEBHOOK_SECRET, POSTBACK_SECRET)
_PASSED_ON: Final = ("NAMESPACE", "LEASE", "RETENTION", "MAX_AGE", "MAX_BODY")
_KEYS: Final = (*SECRETS, "STORE", "DEAD_LETTERS", "OBSERVERS", *_PASSED_ON)


@lru_cache(maxsize=1)
def hooks() -> Webhooks:
    """Return the receiver of webhooks that the settings describe.

    Raises:
        ConfigurationError: there is no setting ``DUBHOOKS``, or a value of it cannot work.
    """
    return _build(Webhooks, WEBHOOK_SECRET)


@lru_cache(maxsize=1)
def postback_hooks() -> Postbacks:
    """Return the receiver of postbacks that the settings describe.

    Raises:
        ConfigurationError: there is no setting ``DUBHOOKS``, or a value of it cannot work.
    """
    return _build(Postbacks, POSTBACK_SECRET)


def list_receivers() -> dict[str, Webhooks | Postbacks]:
    """Return the receivers that the settings have a secret for or the project uses, by its key.

    Raises:
        ConfigurationError: a value of the setting ``DUBHOOKS`` cannot work.
    """
    # Names only: error trackers send variables, and the values have secrets among them.
    names, found = set(configured()), dict[str, Webhooks | Postbacks]()
    if WEBHOOK_SECRET in names or hooks.cache_info().currsize:
        found[WEBHOOK_SECRET] = hooks()
    if POSTBACK_SECRET in names or postback_hooks.cache_info().currsize:
        found[POSTBACK_SECRET] = postback_hooks()
    return found


def configured() -> Mapping[str, Any]:
    """Return the setting ``DUBHOOKS``, empty when it is not there.

    Raises:
        ConfigurationError: it is not a dictionary, or has a key that means nothing.
    """
    given: object = getattr(settings, "DUBHOOKS", None)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        del given  # it may be the secret, and error trackers send variables
        raise ConfigurationError(
            'DUBHOOKS must be a dictionary: DUBHOOKS = {"WEBHOOK_SECRET": os.environ[...]}'
        )
    unknown = [name for name in cast("Mapping[str, Any]", given) if name not in _KEYS]
    if unknown:
        del given
        raise ConfigurationError(f"DUBHOOKS has no {unknown[0]!r}: it has {', '.join(_KEYS)}")
    return cast("Mapping[str, Any]", given)


def secret_of(key: str) -> Any:
    """Return the secret under ``key``, whatever it is; a callable there is called."""
    secret = _get(key)
    return secret() if callable(secret) else secret


def is_missing(secret: object) -> bool:
    """Tell whether a secret, or every one of several, is not there."""
    several = isinstance(secret, (list, tuple))
    return not any(cast("Sequence[object]", secret)) if several else not secret


def _build(kind: Callable[..., ReceiverT], secret_key: str) -> ReceiverT:
    if "dubhooks" in settings.INSTALLED_APPS:
        raise ConfigurationError(
            'INSTALLED_APPS has "dubhooks", which is no app: write "dubhooks.django"'
        )
    if not configured():
        raise ConfigurationError(
            f'there is no setting DUBHOOKS: DUBHOOKS = {{"{secret_key}": os.environ[...]}}'
        )
    arguments = {key.lower(): configured()[key] for key in _PASSED_ON if key in configured()}
    if secret_key == POSTBACK_SECRET:
        # Both receivers share a store, and the same sale may come to both.
        arguments["namespace"] = f"{_get('NAMESPACE', 'default')}.postbacks"
    return kind(
        # Asked for every delivery, so that commands that need no secret run without one; the
        # system check names a missing one.
        lambda: _ask_secret(secret_key),
        store=_build_store(_get("STORE", DjangoStore)),
        dead_letters=_build_dead_letters(_get("DEAD_LETTERS")),
        observers=[_import(observer) for observer in _get("OBSERVERS", ())],
        **arguments,
    )


def _get(key: str, default: Any = None) -> Any:
    return configured().get(key, default)


def _ask_secret(key: str) -> Any:
    secret = secret_of(key)
    if is_missing(secret):
        raise ConfigurationError(
            f"DUBHOOKS[{key!r}] is not set: set the environment variable it is read from"
        )
    return secret


def _build_store(given: object) -> Any:
    store = _import(given)
    is_factory = isinstance(store, type) or (callable(store) and not hasattr(store, "claim"))
    return store() if is_factory else store


def _build_dead_letters(given: object) -> Any:
    if isinstance(given, (str, os.PathLike)):
        return DeadLetterDirectory(os.fspath(cast("str | os.PathLike[str]", given)))
    return given


def _import(given: object) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return import_string(given)
    except ImportError as error:
        raise ConfigurationError(f"DUBHOOKS names {given!r}, which cannot be imported") from error
