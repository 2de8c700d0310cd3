"""URLs: ``/dub/webhook`` for the registered handlers, and a view for the leads of a shop."""

from django.urls import include, path
from shop.views import record_lead

urlpatterns = [
    path("dub/", include("dubhooks.django.urls")),
    path("shops/<shop>/leads/", record_lead),
]
