"""The keys that events are claimed, and noted in inboxes, under."""

from __future__ import annotations

import re
from functools import partial
from hashlib import sha256
from typing import Any, Literal, cast

from ..errors import ConfigurationError
from ..events._base import Event

Dedupe = Literal["id", "natural"]
"""How an event is recognised: by its id alone, or by what happened as well."""

_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,110}")


def check_namespace(namespace: str) -> str:
    """Return ``namespace``.

    Raises:
        ConfigurationError: not every store could hold it as it is.
    """
    if not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace):
        raise ConfigurationError(
            "a namespace must be 1 to 64 letters, digits, dots, dashes or underscores"
        )
    return namespace


def check_dedupe(dedupe: Dedupe, *, has_store: bool = True) -> None:
    """Raise ``ConfigurationError`` when ``dedupe`` is misspelt, or has nothing to work with."""
    if dedupe not in ("id", "natural"):
        raise ConfigurationError('dedupe must be "id" or "natural"')
    if dedupe == "natural" and not has_store:
        raise ConfigurationError('dedupe="natural" needs a store: Webhooks(secret, store=...)')


def build_event_keys(namespace: str, event: Event, dedupe: Dedupe) -> tuple[str, ...]:
    """Return the keys to claim: the event's id first, then its natural key when that counts."""
    key = build_key(namespace, event.id)
    natural = event.natural_key if dedupe == "natural" else None
    if natural is None:
        return (key,)
    return key, _build_natural_key(namespace, event.__family__, natural)


def build_fingerprints(event: Event, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return a fingerprint for each of the keys of ``event``, in hex.

    An event id stands for one body.  A natural key may come in several; a payout's is
    fingerprinted by its money, so that another amount under the same id is noticed.
    """
    fingerprints = [sha256(event.to_json()).hexdigest()]
    if len(keys) > 1:
        data: object = event.data
        read: Any = (
            cast("dict[str, Any]", data).get if isinstance(data, dict) else partial(getattr, data)
        )
        money = f"{read('amount', None)!r} {read('currency', None)!r}"
        fingerprints.append(sha256(money.encode("utf-8", "surrogatepass")).hexdigest())
    return tuple(fingerprints)


def build_inbox_key(namespace: str, event: Event, dedupe: Dedupe) -> str:
    """Return the one key to note ``event`` under: its retries have its natural key as well.

    Raises:
        ConfigurationError: ``dedupe`` is misspelt.
    """
    check_dedupe(dedupe)
    return build_event_keys(namespace, event, dedupe)[-1]


def build_key(namespace: str, event_id: str) -> str:
    """Return the key of an event id: at most 200 ASCII characters, case kept."""
    return f"{namespace}:{_encode(event_id)}"


def build_unhandled_key(key: str) -> str:
    """Return the key for the ``on_unhandled`` call, so that it never blocks a real handler."""
    return f"{key}:unhandled"


def list_keys_of(namespace: str, family: str, what: str | Event) -> list[str]:
    """Return every key that an event, or the one with this id or natural key, may be under."""
    if isinstance(what, str):
        keys = [build_key(namespace, what), _build_natural_key(namespace, family, what)]
    else:
        keys = list(build_event_keys(namespace, what, "natural"))
    return [*keys, *map(build_unhandled_key, keys)]


def list_inbox_keys(namespace: str, what: str | Event) -> list[str]:
    """Return every key that an inbox may have noted an event, or one with this id, under.

    Raises:
        ConfigurationError: ``what`` is neither an event nor text.
    """
    if isinstance(what, str) and what:
        families: tuple[str, ...] = ("webhook", "postback")  # they share an inbox
    elif isinstance(what, Event):
        families = (what.__family__,)
    else:
        raise ConfigurationError("forget takes an event, the id of one, or a natural key")
    return sorted({key for each in families for key in list_keys_of(namespace, each, what)})


def _build_natural_key(namespace: str, family: str, natural: str) -> str:
    # Apart for each family, because their handlers differ.
    return f"{namespace}:{family}:{_encode(natural)}"


def _encode(text: str) -> str:
    # Stores differ in what they take; the hash of an odd or long id fits all of them.
    if _PLAIN.fullmatch(text):
        return text
    return f"sha256:{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
