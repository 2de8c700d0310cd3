"""What Django sends back: our reply, or its own page for a handler that failed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.exception import response_for_exception
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse

from ..receiver._pipeline import Pipeline
from ..reply import Reply, build_reply
from ..wsgi import headers_to_send


def build_response(reply: Reply, request: HttpRequest) -> HttpResponse:
    """Return a reply as a response."""
    headers = reply.headers if isinstance(request, ASGIRequest) else headers_to_send(reply)
    return HttpResponse(reply.body, status=reply.status, headers=headers)


def answer_failure(pipeline: Pipeline[Any], request: HttpRequest, error: Exception) -> HttpResponse:
    """Return what Django answers to ``error``, unless that is a success; call it in ``except``.

    Signals, logs, error pages and the debug page are Django's.  The exception does not leave the
    view, so that nothing around it can answer 200: Dub would take the event as done.
    """
    try:
        response = response_for_exception(request, error)
    except Exception:
        if settings.DEBUG_PROPAGATE_EXCEPTIONS:
            raise
        pipeline.log.exception("the project's error page failed for a delivery that had failed")
        response = _build_failed(request)
    if response.status_code < 400:
        pipeline.log.error(
            "an error page of the project answered %d for a delivery that failed: Dub would not "
            "send the event again, so 500 is sent instead; give the page its status",
            response.status_code,
        )
        response = _build_failed(request)
    roll_back_around()
    return response


def roll_back_around() -> None:
    """Roll back the transactions around the view, as an exception that leaves it would do."""
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block and _is_in_transaction(connection.alias):
            transaction.set_rollback(True, using=connection.alias)


def _is_in_transaction(alias: str) -> bool:
    """Tell whether a transaction is open that is not the one of Django's ``TestCase``."""
    try:
        # Without a savepoint this sends nothing to the database.
        with transaction.atomic(using=alias, savepoint=False, durable=True):
            return False
    except RuntimeError:
        return True


def _build_failed(request: HttpRequest) -> HttpResponse:
    return build_response(build_reply("failed"), request)
