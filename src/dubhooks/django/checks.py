"""System checks (``manage.py check``), each with what to do about it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core import checks
from django.db import connections
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import LocalePrefixPattern

from ..errors import ConfigurationError
from ..signature import keys_of
from . import _settings
from .store import DjangoStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from django.core.checks import CheckMessage

    from ..receiver import Receiver

__all__ = ["check_database", "check_settings", "check_urls", "register"]

_SECURITY: Final = "django.middleware.security.SecurityMiddleware"
_COMMON: Final = "django.middleware.common.CommonMiddleware"
_REDIRECTED: Final = "Dub takes a redirect as success, and a payout as paid: "


def register() -> None:
    """Let ``manage.py check`` run our checks."""
    checks.register(check_settings)
    checks.register(check_urls, checks.Tags.urls)
    checks.register(check_database, checks.Tags.database)


def check_settings(**_: Any) -> list[CheckMessage]:
    """Check ``DUBHOOKS``, and the settings of Django that a delivery depends on."""
    given = _settings.configured()
    if not given:
        return []
    return [*_keys(given), *_secrets(given), *_body_limit(), *_redirects(), *_atomic_requests()]


def check_urls(**_: Any) -> list[CheckMessage]:
    """Check where our views are mounted."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    return [
        checks.Warning(
            f"the webhook view at {route!r} is inside i18n_patterns()",
            hint=f"{_REDIRECTED}without the language, Django redirects; mount it outside.",
            id="dubhooks.W007",
        )
        for route in _translated(get_resolver().url_patterns, "", inside=False)
    ]


def check_database(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check the table of the receivers' ``DjangoStore``; runs with ``check --database``."""
    stores = [receiver.store for receiver in _receivers()]
    aliases = {store.alias for store in stores if isinstance(store, DjangoStore)}
    found: list[CheckMessage] = []
    for alias in sorted(aliases.intersection(databases or ())):
        found += _table(alias)
    return found


def _keys(given: Mapping[str, Any]) -> Iterator[CheckMessage]:
    for key in sorted(set(map(str, given)) - _settings.KEYS):
        near = get_close_matches(key.upper(), _settings.KEYS, 1)
        yield checks.Error(
            f"DUBHOOKS has no {key!r}",
            hint=f"Did you mean {near[0]!r}?" if near else f"It has {sorted(_settings.KEYS)}.",
            id="dubhooks.E001",
        )


def _secrets(given: Mapping[str, Any]) -> Iterator[CheckMessage]:
    names = [name for name in _settings.SECRETS if name in given]
    if not names:
        yield checks.Error(
            f"DUBHOOKS has neither of {' and '.join(_settings.SECRETS)}",
            hint="Dub shows the secret where the webhook, or the postback, is set up.",
            id="dubhooks.E002",
        )
    for name in names:
        secret = _settings.secret_of(name)
        try:
            if secret in (None, "", b""):
                raise ConfigurationError("it is not set: is the environment variable there?")
            keys_of(secret)
        except ConfigurationError as error:
            yield checks.Error(f"DUBHOOKS[{name!r}] cannot work: {error}", id="dubhooks.E003")


def _body_limit() -> Iterator[CheckMessage]:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if limit is not None and any(receiver.max_body > limit for receiver in _receivers()):
        yield checks.Warning(
            f"DATA_UPLOAD_MAX_MEMORY_SIZE ({limit} bytes) is less than MAX_BODY",
            hint="The smaller of the two counts: larger bodies are answered with 413.",
            id="dubhooks.W004",
        )


def _redirects() -> Iterator[CheckMessage]:
    if (
        settings.SECURE_SSL_REDIRECT
        and _SECURITY in settings.MIDDLEWARE
        and not settings.SECURE_PROXY_SSL_HEADER
        and not settings.SECURE_REDIRECT_EXEMPT
    ):
        yield checks.Warning(
            "SECURE_SSL_REDIRECT is on and SECURE_PROXY_SSL_HEADER is not set",
            hint=f"{_REDIRECTED}behind a proxy that ends TLS, Django redirects every delivery. "
            "Set SECURE_PROXY_SSL_HEADER, or SECURE_REDIRECT_EXEMPT for the webhook's path.",
            id="dubhooks.W005",
        )
    if settings.PREPEND_WWW and _COMMON in settings.MIDDLEWARE:
        yield checks.Warning(
            "PREPEND_WWW is on",
            hint=f'{_REDIRECTED}give Dub the address that begins with "www.".',
            id="dubhooks.W006",
        )


def _atomic_requests() -> Iterator[CheckMessage]:
    if any(one.get("ATOMIC_REQUESTS") for one in settings.DATABASES.values()):
        yield checks.Info(
            "ATOMIC_REQUESTS does not apply to dubhooks' views",
            hint="A claim must outlive a rollback. Open transaction.atomic() in the handler; with "
            "DjangoInbox the effect is exactly once.",
            id="dubhooks.I008",
        )


def _table(alias: str) -> Iterator[CheckMessage]:
    connection = connections[alias]
    table = "dubhooks_claim"
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor):
            # No error: the command that makes the table runs this check first.
            yield checks.Warning(
                f"there is no table {table} in the database {alias!r}",
                hint=f"Run manage.py migrate --database {alias}.",
                id="dubhooks.W009",
            )


def _receivers() -> list[Receiver[Any]]:
    given = _settings.configured()
    found: list[Receiver[Any]] = []
    if _settings.WEBHOOK_SECRET in given:
        found.append(_settings.hooks())
    if _settings.POSTBACK_SECRET in given:
        found.append(_settings.postback_hooks())
    return found


def _translated(
    patterns: Iterable[URLPattern | URLResolver], prefix: str, *, inside: bool
) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            if inside and getattr(pattern.callback, "is_dubhooks_view", False):
                yield f"{prefix}{pattern.pattern}"
            continue
        is_prefix = isinstance(pattern.pattern, LocalePrefixPattern)
        shown = prefix if is_prefix else f"{prefix}{pattern.pattern}"
        yield from _translated(pattern.url_patterns, shown, inside=inside or is_prefix)
