"""Django, configured once for all tests of this process; import it before anything of Django's.

The settings are as strict as a project can make them: CSRF checks, login
required everywhere, a transaction around every request, slashes appended.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import django
from asgiref.testing import ApplicationCommunicator
from django.conf import settings

from tests.support.adapters.clients import AsgiClient, Client, Headers, Response, WsgiClient
from tests.support.adapters.situations import SECRET

POSTBACK_SECRET = "pbsec_0123456789abcdef0123456789abcdef"
PATH = "webhooks/dub"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
if django.VERSION >= (5, 1):
    MIDDLEWARE.append("django.contrib.auth.middleware.LoginRequiredMiddleware")
WITHOUT_LOGIN = [one for one in MIDDLEWARE if "Login" not in one]

_directory = tempfile.mkdtemp(prefix="dubhooks-django-")
atexit.register(shutil.rmtree, _directory, ignore_errors=True)


def sqlite(name: str) -> dict[str, Any]:
    """Return the settings of an SQLite database of these tests."""
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(_directory) / name)}


# What django-tasks-db needs; older versions of Django cannot have it.
HAS_TASKS = django.VERSION >= (5, 2) and find_spec("django_tasks_db") is not None
_TASKS = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"

settings.configure(
    SECRET_KEY="a secret of Django's",
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    ROOT_URLCONF=(),
    MIDDLEWARE=MIDDLEWARE,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "rest_framework",
        "tests.support.adapters.django_shop",
        "dubhooks.django",
        *(["django_tasks_db"] if HAS_TASKS else []),
    ],
    TASKS={
        "default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": []},
        "narrow": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["mail"]},
        "eager": {"BACKEND": f"{_TASKS}.backends.immediate.ImmediateBackend"},
        "dummy": {"BACKEND": f"{_TASKS}.backends.dummy.DummyBackend"},
    },
    DATABASES={
        "default": {**sqlite("default.db"), "ATOMIC_REQUESTS": True},
        "other": {**sqlite("other.db"), "ATOMIC_REQUESTS": True},
    },
    LOGGING_CONFIG=None,
    DUBHOOKS={"WEBHOOK_SECRET": SECRET, "POSTBACK_SECRET": lambda: POSTBACK_SECRET},
)
django.setup()

from django.contrib.auth.models import Group as Group  # noqa: E402 - after the settings
from django.core.handlers.asgi import ASGIHandler  # noqa: E402
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import override_settings  # noqa: E402

for _alias in ("default", "other"):
    call_command("migrate", database=_alias, verbosity=0)
connections.close_all()


def api_view(view: Any) -> Any:
    """Return a view of Django REST framework that is open to everybody."""
    decorators = import_module("rest_framework.decorators")  # it has no types
    is_open = decorators.authentication_classes([])(decorators.permission_classes([])(view))
    return decorators.api_view(["POST"])(is_open)


class DjangoClient:
    """Drives a project that has these URLs, as a WSGI or an ASGI server would."""

    def __init__(self, *urls: Any, asgi: bool = False, path: str = PATH, **changes: Any) -> None:
        """``changes``: settings that differ."""
        self._changes: dict[str, Any] = {"ROOT_URLCONF": urls, **changes}
        self._asgi = asgi
        self._path = f"/{path}"
        self._client: Client | None = None
        self.around: Callable[[], Awaitable[object]] | None = None
        """Under ASGI, awaited on the event loop of each request before it is served."""

    @property
    def sent(self) -> int:
        """Bytes of the last body that were read."""
        assert self._client is not None
        return self._client.sent

    def post(self, body: bytes, headers: Headers, **how: Any) -> Response:
        """Send one request; see :class:`tests.support.adapters.clients.Client`."""
        with override_settings(**self._changes):
            if self._asgi:
                self._client = AsgiClient(self._application(), self._path)
            else:
                self._client = WsgiClient(WSGIHandler(), self._path)
            return self._client.post(body, headers, **how)

    def _application(self) -> Any:
        handler = ASGIHandler()
        if self.around is None:
            return handler
        around = self.around

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await around()
            await handler(scope, receive, send)

        return application


def asgi_request(body: bytes, headers: Mapping[str, str]) -> ApplicationCommunicator:
    """Return a request under ASGI, for a test that hangs up in the middle of it."""
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    encoded.append((b"content-length", str(len(body)).encode()))
    handler = ASGIHandler()
    scope = AsgiClient(handler, f"/{PATH}")._scope("POST", encoded)
    communicator: Any = ApplicationCommunicator
    server: ApplicationCommunicator = communicator(handler, scope)
    return server


def add_database(alias: str, database: dict[str, Any]) -> None:
    """Add a database to the settings and make the tables in it."""
    every: dict[str, Any] = {**connections.settings, alias: database}
    connections.settings = connections.configure_settings(every)
    call_command("migrate", "dubhooks", database=alias, verbosity=0)
