"""Django, without middleware, which would hide what we take."""

from __future__ import annotations

import json

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from tests.benchmarks.served import (
    ANSWER,
    BARE,
    PATH,
    TYPED,
    UNTYPED,
    chosen_way,
    make_receiver,
    use,
    use_untyped,
    verify_by_hand,
)

settings.configure(ALLOWED_HOSTS=["*"], USE_TZ=True, MIDDLEWARE=[], ROOT_URLCONF=__name__)
django.setup()

import dubhooks  # noqa: E402
from dubhooks.webhooks import SaleCreated  # noqa: E402


def bare(request: HttpRequest) -> HttpResponse:
    """Read the body."""
    assert request.body
    return JsonResponse(ANSWER)


def by_hand(request: HttpRequest) -> HttpResponse:
    """Verify, and read untyped JSON."""
    verify_by_hand(request.body, request.META["HTTP_DUB_SIGNATURE"])
    use_untyped(json.loads(request.body)["data"]["sale"]["amount"])
    return JsonResponse(ANSWER)


def typed(request: HttpRequest) -> HttpResponse:
    """Verify, and parse into the same model."""
    verify_by_hand(request.body, request.META["HTTP_DUB_SIGNATURE"])
    use(SaleCreated.model_validate_json(request.body))
    return JsonResponse(ANSWER)


views = {BARE: bare, UNTYPED: by_hand, TYPED: typed}
if chosen_way() in views:
    urlpatterns = [path(PATH[1:], views[chosen_way()])]
else:
    hooks = make_receiver()
    hooks.on(SaleCreated)(use)
    urlpatterns = [path(PATH[1:], dubhooks.django.view(hooks))]

app = get_wsgi_application()
