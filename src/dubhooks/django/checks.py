"""System checks (``manage.py check``), each with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.urls import get_resolver

from ..errors import ConfigurationError
from ..receiver import pipeline_of
from ..signature import Keyring
from . import _settings

__all__ = ["register"]

_REDIRECTED: Final = "Dub takes a redirect as success, and a payout as paid: "
_MISSING: Final = (
    "Set the environment variable it is read from; Dub shows the secret where the webhook, or the "
    "postback, is set up. Every delivery is answered 503 until then."
)
_RECEIVERS: Final = {_settings.WEBHOOK_SECRET: "hooks", _settings.POSTBACK_SECRET: "postback_hooks"}


def register() -> None:
    """Let ``manage.py check`` run our checks."""
    for check in (_check_secrets, _check_handlers, _check_redirects):
        checks.register(check)
    checks.register(_check_secrets_for_deployment, deploy=True)


def _check_secrets(**_: Any) -> list[checks.CheckMessage]:
    """Check the secrets of ``DUBHOOKS``."""
    return [
        # A missing one is no error: whoever only migrates or runs tests needs none.
        checks.Warning(what, hint=_MISSING, id="dubhooks.W003")
        if is_missing
        else checks.Error(what, id="dubhooks.E003")
        for what, is_missing in _find_problems()
    ]


def _check_secrets_for_deployment(**_: Any) -> list[checks.CheckMessage]:
    """Check with ``--deploy`` that no secret is missing: everywhere else that is a warning."""
    return [
        checks.Error(what, hint=_MISSING, id="dubhooks.E003")
        for what, is_missing in _find_problems()
        if is_missing
    ]


def _check_handlers(**_: Any) -> list[checks.CheckMessage]:
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


def _check_redirects(**_: Any) -> list[checks.CheckMessage]:
    """Check for settings with which Django redirects deliveries."""
    if not _settings.configured():
        return []
    is_exempt = settings.SECURE_PROXY_SSL_HEADER or settings.SECURE_REDIRECT_EXEMPT
    redirects = {
        "SECURE_SSL_REDIRECT": "behind a proxy that ends TLS, Django redirects every delivery. Set "
        "SECURE_PROXY_SSL_HEADER, or SECURE_REDIRECT_EXEMPT for the webhook's path.",
        "PREPEND_WWW": 'give Dub the address that begins with "www.".',
    }
    if is_exempt:
        del redirects["SECURE_SSL_REDIRECT"]
    return [
        checks.Warning(f"{name} is on", hint=f"{_REDIRECTED}{hint}", id="dubhooks.W005")
        for name, hint in redirects.items()
        if getattr(settings, name)
    ]


def _find_problems() -> Iterator[tuple[str, bool]]:
    """Find what is wrong with the secrets, and whether it is that there is none."""
    if not _settings.configured():
        return
    for name in _settings.list_receivers() or [_settings.WEBHOOK_SECRET]:
        try:
            secret = _settings.secret_of(name)
            if _settings.is_missing(secret):
                yield f"DUBHOOKS[{name!r}] is not set", True
            else:
                Keyring(secret).check()
        except ConfigurationError as error:
            yield f"DUBHOOKS[{name!r}] cannot work: {error}", False
        except Exception as error:  # noqa: BLE001 - somebody's callable may raise anything
            yield f"DUBHOOKS[{name!r}] raised {type(error).__qualname__}", True
