"""System checks (``manage.py check``), each with what to do about it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.conf import settings
from django.core import checks
from django.db import connections
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import LocalePrefixPattern

from ..errors import ConfigurationError
from ..receiver import pipeline_of
from ..signature import Keyring
from ..stores._sql import CLAIMS_TABLE
from . import _settings
from .store import DjangoStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from django.core.checks import CheckMessage

__all__ = [
    "check_database",
    "check_handlers",
    "check_secrets_for_deployment",
    "check_settings",
    "check_urls",
    "register",
]

_SECURITY: Final = "django.middleware.security.SecurityMiddleware"
_COMMON: Final = "django.middleware.common.CommonMiddleware"
_REDIRECTED: Final = "Dub takes a redirect as success, and a payout as paid: "
_UNAVAILABLE: Final = "every delivery is answered 503 until it is there"
_WHERE: Final = "Dub shows the secret where the webhook, or the postback, is set up."
_RECEIVERS: Final = {
    _settings.WEBHOOK_SECRET: "hooks",
    _settings.POSTBACK_SECRET: "postback_hooks",
}


def register() -> None:
    """Let ``manage.py check`` run our checks."""
    checks.register(check_settings)
    checks.register(check_handlers)
    checks.register(check_secrets_for_deployment, deploy=True)
    checks.register(check_urls, checks.Tags.urls)
    checks.register(check_database, checks.Tags.database)


def check_settings(**_: Any) -> list[CheckMessage]:
    """Check ``DUBHOOKS``, and the settings of Django that a delivery depends on."""
    names = set(map(str, _settings.configured()))
    if not names:
        return []
    return [
        *_check_names(names),
        *_check_secrets(names),
        *_check_body_limit(),
        *_check_redirects(),
        *_note_atomic_requests(),
    ]


def check_secrets_for_deployment(**_: Any) -> list[CheckMessage]:
    """Check with ``--deploy`` that no secret is missing: everywhere else that is a warning."""
    names = set(map(str, _settings.configured()))
    return [
        checks.Error(problem.what, hint=problem.hint, id=f"dubhooks.E{problem.number}")
        for problem in _find_problems_of_secrets(names)
        if problem.is_missing
    ]


def check_handlers(**_: Any) -> list[CheckMessage]:
    """Check that each receiver has a handler: without one every event is ignored."""
    if getattr(settings, "ROOT_URLCONF", None):
        list(get_resolver().url_patterns)  # decorated views are there once their module is imported
    return [
        checks.Warning(
            f"no handler is registered for {_RECEIVERS[key]}: every event is ignored",
            hint="Put the handlers into <app>/dubhooks_handlers.py, where <app> is in "
            f"INSTALLED_APPS: from dubhooks.django import {_RECEIVERS[key]}.",
            id="dubhooks.W010",
        )
        for key, receiver in _settings.list_receivers().items()
        if pipeline_of(receiver).registry.is_empty
    ]


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
        for route in _find_translated(get_resolver().url_patterns, "", inside=False)
    ]


def check_database(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Check the table of the receivers' ``DjangoStore``; runs with ``check --database``."""
    stores = [receiver.store for receiver in _settings.list_receivers().values()]
    aliases = {store.alias for store in stores if isinstance(store, DjangoStore)}
    found: list[CheckMessage] = []
    for alias in sorted(aliases.intersection(databases or ())):
        found += _check_table(alias)
    return found


def _check_names(names: set[str]) -> Iterator[CheckMessage]:
    for name in sorted(names - _settings.KEYS):
        near = get_close_matches(name.upper(), _settings.KEYS, 1)
        yield checks.Error(
            f"DUBHOOKS has no {name!r}",
            hint=f"Did you mean {near[0]!r}?" if near else f"It has {sorted(_settings.KEYS)}.",
            id="dubhooks.E001",
        )


def _check_secrets(names: set[str]) -> Iterator[CheckMessage]:
    for what, hint, number, is_missing in _find_problems_of_secrets(names):
        # A missing one is no error: whoever only migrates or runs tests needs none.
        kind, letter = (checks.Warning, "W") if is_missing else (checks.Error, "E")
        yield kind(what, hint=hint, id=f"dubhooks.{letter}{number}")


class _Problem(NamedTuple):
    """What is wrong with a secret."""

    what: str
    hint: str | None = None
    number: str = "003"
    is_missing: bool = True


def _find_problems_of_secrets(names: set[str]) -> Iterator[_Problem]:
    if not names:
        return
    if names.isdisjoint(_settings.SECRETS):
        what = f"DUBHOOKS has neither of {' and '.join(_settings.SECRETS)}: {_UNAVAILABLE}"
        yield _Problem(what, _WHERE, "002")
        return
    for name in _settings.list_receivers():
        if name not in names:
            what = f"DUBHOOKS has no {name!r}, and {_RECEIVERS[name]} is used: {_UNAVAILABLE}"
            yield _Problem(what, _WHERE)
        elif problem := _find_problem_of_secret(name):
            yield problem


def _find_problem_of_secret(name: str) -> _Problem | None:
    hint = "Set the environment variable it is read from."
    try:
        secret = _settings.secret_of(name)
        if _settings.is_missing(secret):
            return _Problem(f"DUBHOOKS[{name!r}] is not set: {_UNAVAILABLE}", hint)
        Keyring(secret).check()
    except ConfigurationError as error:
        return _Problem(f"DUBHOOKS[{name!r}] cannot work: {error}", is_missing=False)
    except Exception as error:  # noqa: BLE001 - somebody's callable may raise anything
        kind = type(error).__qualname__
        return _Problem(f"DUBHOOKS[{name!r}] raised {kind}: {_UNAVAILABLE}", hint)
    return None


def _check_body_limit() -> Iterator[CheckMessage]:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    receivers = _settings.list_receivers().values()
    if limit is not None and any(receiver.max_body > limit for receiver in receivers):
        yield checks.Warning(
            f"DATA_UPLOAD_MAX_MEMORY_SIZE ({limit} bytes) is less than MAX_BODY",
            hint="The smaller of the two counts: larger bodies are answered with 413.",
            id="dubhooks.W004",
        )


def _check_redirects() -> Iterator[CheckMessage]:
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


def _note_atomic_requests() -> Iterator[CheckMessage]:
    if any(one.get("ATOMIC_REQUESTS") for one in settings.DATABASES.values()):
        yield checks.Info(
            "ATOMIC_REQUESTS does not apply to dubhooks' views",
            hint="A claim must outlive a rollback. Open transaction.atomic() in the handler; with "
            "DjangoInbox the effect is exactly once.",
            id="dubhooks.I008",
        )


def _check_table(alias: str) -> Iterator[CheckMessage]:
    connection = connections[alias]
    with connection.cursor() as cursor:
        if CLAIMS_TABLE not in connection.introspection.table_names(cursor):
            # No error: the command that makes the table runs this check first.
            yield checks.Warning(
                f"there is no table {CLAIMS_TABLE} in the database {alias!r}",
                hint=f"Run manage.py migrate --database {alias}.",
                id="dubhooks.W009",
            )


def _find_translated(
    patterns: Iterable[URLPattern | URLResolver], prefix: str, *, inside: bool
) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            if inside and getattr(pattern.callback, "is_dubhooks_view", False):
                yield f"{prefix}{pattern.pattern}"
            continue
        is_prefix = isinstance(pattern.pattern, LocalePrefixPattern)
        shown = prefix if is_prefix else f"{prefix}{pattern.pattern}"
        yield from _find_translated(pattern.url_patterns, shown, inside=inside or is_prefix)
