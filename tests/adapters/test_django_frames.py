"""Django: no variable of ours shows a body, a signature or a secret."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.db import connections
from django.test import RequestFactory
from django.urls import path

import dubhooks.django
from dubhooks import ConfigurationError, MemoryStore, Webhooks, sign
from dubhooks.django import DjangoStore
from dubhooks.testing import make_event
from dubhooks.webhooks import LinkCreated
from tests.support.adapters.django_setup import WITHOUT_LOGIN, PATH, DjangoClient
from tests.support.adapters.situations import SECRET, signed
from tests.support.frames import variables_that_show
from tests.support.receiving import AsyncMemoryStore

PASSWORD = "link-password-77"
BODY = make_event(LinkCreated, data__password=PASSWORD).to_json()
MARKS = (PASSWORD, base64.b64encode(BODY).decode()[:40], sign(BODY, SECRET), SECRET)
STORES: dict[str, Any] = {
    "none": lambda: None,
    "memory": MemoryStore,
    "django": DjangoStore,
    "async": AsyncMemoryStore,
}


def test_a_body_that_cannot_be_read(told: list[BaseException]) -> None:
    """What a server raises while the body is read shows nothing of the headers."""

    class Broken(io.RawIOBase):
        def read(self, _: int = -1) -> bytes:
            raise LookupError("boom")

    headers = {"HTTP_DUB_SIGNATURE": sign(BODY, SECRET), "wsgi.input": Broken()}
    request: Any = RequestFactory().generic("POST", "/", BODY, "application/json", **headers)  # type: ignore[arg-type]
    with pytest.raises(LookupError) as raised:
        mount(fail, None, is_view=True)(request)
    assert variables_that_show(raised.value, *MARKS) == []


@pytest.mark.parametrize(
    "value", ["'LEASE': -1", "'NAMESPACE': 'a b'", "'STORE': 'no.store'", "'KEY': 1"]
)
def test_settings_that_cannot_work(value: str) -> None:
    """An error at the start shows nothing of the secret beside the value that is wrong."""
    code = (
        "import sys\n"
        "from django.conf import settings\n"
        f"given = {{'WEBHOOK_SECRET': {SECRET!r}, {value}}}\n"
        "settings.configure(USE_TZ=True, INSTALLED_APPS=['dubhooks.django'], DUBHOOKS=given)\n"
        "import django, dubhooks\n"
        "from tests.support.frames import variables_that_show\n"
        "try:\n"
        "    django.setup()\n"
        "except dubhooks.ConfigurationError as error:\n"
        f"    print(variables_that_show(error, {SECRET!r}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout == "[]\n", ran.stderr
