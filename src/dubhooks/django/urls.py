"""``path("dub/", include("dubhooks.django.urls"))``: ``dub/webhook`` and ``dub/postback``.

A slash at the end is taken too: Django's redirect to the other form would make
Dub take a payout as paid.
"""

from django.urls import URLPattern, re_path

from ._settings import POSTBACK_SECRET, WEBHOOK_SECRET, list_receivers
from ._views import view

__all__ = ["app_name", "urlpatterns"]

_URLS = {WEBHOOK_SECRET: "webhook", POSTBACK_SECRET: "postback"}

app_name = "dubhooks"
urlpatterns: list[URLPattern] = [
    re_path(rf"^{_URLS[key]}/?$", view(receiver), name=_URLS[key])
    for key, receiver in list_receivers().items()
]
