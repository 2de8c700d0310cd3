"""What a project's error pages may answer to a delivery that failed: no success."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.urls import get_callable, get_resolver, get_urlconf

from ..reply import reply_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

__all__ = ["guard_failure"]

logger = logging.getLogger("dubhooks")

_FAILED = "is_failed_delivery"
_GUARD = "is_dubhooks_guard"
_PAGES = ("handler400", "handler403", "handler404", "handler500")


def guard_failure(request: HttpRequest) -> None:
    """Have no error page of the project answer ``request`` below 400.

    For an exception on its way to Django, which goes on as it does without
    us: middleware, signals and debug pages see it.  Only the error views that
    the URLconf names are wrapped, where it names them, and do the same as
    before for every other request.
    """
    if getattr(request, "resolver_match", None) is None:
        return  # not called by Django, as in a test of the view alone
    setattr(request, _FAILED, True)
    urlconf: Any = get_resolver(get_urlconf()).urlconf_module
    for name in _PAGES:
        page = getattr(urlconf, name, None)
        if page and not hasattr(page, _GUARD):
            setattr(urlconf, name, _guarded(page))


def _guarded(page: Any) -> Callable[..., HttpResponse]:
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Not earlier: it can be the name of one that cannot be imported, which is Django's to say.
        response: HttpResponse = get_callable(page)(request, *args, **kwargs)
        status = getattr(response, "status_code", 500)
        if status >= 400 or not hasattr(request, _FAILED):
            return response
        logger.error(
            "an error page of the project (handler400, 403, 404 or 500 of the URLconf) answered "
            "%d for a delivery that failed: Dub would not send the event again, so 500 is sent "
            "instead; give the page its status",
            status,
        )
        reply = reply_to("failed")
        return HttpResponse(reply.body, status=reply.status, headers=reply.headers)

    setattr(guarded, _GUARD, True)
    return guarded
