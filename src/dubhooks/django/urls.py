"""``path("dub/", include("dubhooks.django.urls"))``: ``dub/webhook`` and ``dub/postback``.

A slash at the end is taken too: Django's redirect to the other form would make
Dub take a payout as paid.
"""

from django.urls import URLPattern, re_path

from ._settings import POSTBACK_SECRET, WEBHOOK_SECRET, configured, hooks, postback_hooks
from ._views import view

__all__ = ["app_name", "urlpatterns"]

app_name = "dubhooks"
urlpatterns: list[URLPattern] = []
if WEBHOOK_SECRET in configured():
    urlpatterns.append(re_path(r"^webhook/?$", view(hooks()), name="webhook"))
if POSTBACK_SECRET in configured():
    urlpatterns.append(re_path(r"^postback/?$", view(postback_hooks()), name="postback"))
