"""The Django project that the server tests run: it notes in a file what its handlers do.

The database is in the working directory.
``python -m tests.support.served.django_project migrate`` makes its tables.
"""

import sys
from datetime import timedelta

import django
from django.conf import settings

from tests.support.served import LEASE, SECRET, note, wait, wait_async

settings.configure(
    SECRET_KEY="a secret of Django's",
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    INSTALLED_APPS=["dubhooks.django"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "db.sqlite3",
            "ATOMIC_REQUESTS": True,
        }
    },
    DUBHOOKS={
        "WEBHOOK_SECRET": SECRET,
        "LEASE": LEASE,
        "MAX_AGE": timedelta(days=30),
        "MAX_BODY": 100_000,
    },
)
django.setup()

from django.http import HttpRequest  # noqa: E402
from django.urls import include, path  # noqa: E402

import dubhooks  # noqa: E402
from dubhooks.django import hooks, webhook  # noqa: E402
from dubhooks.webhooks import LeadCreated, SaleCreated  # noqa: E402

file_hooks = dubhooks.Webhooks(
    SECRET, store=dubhooks.SQLiteStore("claims.db"), lease=LEASE, max_body=hooks.max_body
)


@hooks.on(SaleCreated)
def record_sale(event: SaleCreated) -> None:
    """Note a sale."""
    note(f"sale {event.id}")


@webhook(file_hooks, SaleCreated)
async def in_file(request: HttpRequest, event: SaleCreated) -> None:
    """Note a sale, with claims in a file of their own."""
    note(f"sale {event.id}")


@webhook(hooks, LeadCreated)
def slow_sync(request: HttpRequest, event: LeadCreated) -> None:
    """Wait in a thread."""
    wait()


@webhook(hooks, LeadCreated)
async def slow_async(request: HttpRequest, event: LeadCreated) -> None:
    """Wait on the event loop."""
    await wait_async()


urlpatterns = [
    path("dub/", include("dubhooks.django.urls")),
    path("in-file", in_file),
    path("slow-sync", slow_sync),
    path("slow-async", slow_async),
]


def wsgi() -> object:
    """Return the WSGI application."""
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()


def asgi() -> object:
    """Return the ASGI application."""
    from django.core.handlers.asgi import ASGIHandler

    return ASGIHandler()


if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
