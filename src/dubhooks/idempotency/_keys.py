"""The keys that deliveries are claimed under."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Literal

from ..errors import ConfigurationError

__all__ = ["Dedupe", "checked_namespace", "event_key", "natural_key", "rejection_key", "told_key"]

Dedupe = Literal["id", "natural"]
"""By what an event is known again: its id, or what happened as well."""

_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,110}")


def checked_namespace(namespace: str) -> str:
    """Return ``namespace``.

    Raises:
        ConfigurationError: not every store could hold it as it is.
    """
    if not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace):
        raise ConfigurationError(
            "a namespace must be 1 to 64 letters, digits, dots, dashes or underscores"
        )
    return namespace


def event_key(namespace: str, event_id: str) -> str:
    """Return the key of an event id: at most 200 ASCII characters, case kept."""
    return f"{namespace}:{_plain(event_id)}"


def natural_key(namespace: str, family: str, key: str) -> str:
    """Return the key of what happened, in the same form.

    Apart for each family, because their handlers differ.
    """
    return f"{namespace}:{family}:{_plain(key)}"


def rejection_key(key: str) -> str:
    """Return the key that notes that the payout under ``key`` was rejected."""
    return f"{key}:rejected"


def told_key(key: str) -> str:
    """Return the key of telling ``on_unhandled``, which is not handling what is under ``key``."""
    return f"{key}:unhandled"


def _plain(text: str) -> str:
    # Stores differ in what they take; the hash of an odd or long id fits all of them.
    if _PLAIN.fullmatch(text):
        return text
    return f"sha256:{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
