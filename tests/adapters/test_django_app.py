"""The app: the setting ``DUBHOOKS``, system checks, and the command."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import override_settings

import dubhooks.django
from dubhooks import (
    ConfigurationError,
    DeliveryRecord,
    MemoryStore,
    Postbacks,
    SignatureMismatch,
    Webhooks,
)
from dubhooks.django import DjangoStore, _settings
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.django_setup import POSTBACK_SECRET
from tests.support.adapters.situations import SECRET

RECORDS: list[DeliveryRecord] = []


def observe(record: DeliveryRecord) -> None:
    """Be an observer that the settings name."""
    RECORDS.append(record)


def receiver(**given: Any) -> Webhooks:
    """Return a new receiver from these settings."""
    with override_settings(DUBHOOKS={"WEBHOOK_SECRET": SECRET, **given}):
        return _settings.hooks.__wrapped__()


def test_settings_become_receivers() -> None:
    """The app gives both receivers, with the store of the project's database."""
    assert isinstance(dubhooks.django.hooks, Webhooks)
    assert isinstance(dubhooks.django.postback_hooks, Postbacks)
    assert dubhooks.django.hooks is dubhooks.django.hooks
    assert isinstance(dubhooks.django.hooks.store, DjangoStore)


def test_every_setting_counts(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key of ``DUBHOOKS`` is an argument of the receiver."""
    monkeypatch.setitem(sys.modules, "a_module", sys.modules[__name__])
    RECORDS.clear()
    hooks = receiver(
        STORE="dubhooks.MemoryStore",
        NAMESPACE="shop",
        LEASE=timedelta(seconds=5),
        RETENTION=timedelta(days=40),
        MAX_AGE=3600,
        MAX_BODY=20_000,
        DEAD_LETTERS=tmp_path / "letters",
        OBSERVERS=["a_module.observe", observe],
    )
    assert isinstance(hooks.store, MemoryStore)
    assert "namespace='shop'" in repr(hooks)
    assert hooks.max_body == 20_000
    old = make_event(SaleCreated, createdAt="2025-06-01T00:00:00.000Z")
    assert hooks.handle(*signed_request(old, SECRET)).status == 400
    assert [record.error_code for record in RECORDS] == ["event_too_old"] * 2
    unfit = b'{"id":"evt_1","event":"lead.created","createdAt":"2099-01-01T00:00:00Z","data":{}}'
    assert hooks.handle(*signed_request(unfit, SECRET)).status == 200
    assert [file.read_bytes() for file in (tmp_path / "letters").glob("*.body")] == [unfit]


@pytest.mark.parametrize(
    ("store", "kind"),
    [
        (None, type(None)),
        ("dubhooks.MemoryStore", MemoryStore),
        (MemoryStore, MemoryStore),
        (MemoryStore(), MemoryStore),
        (lambda: DjangoStore(using="other"), DjangoStore),
    ],
    ids=["none", "path", "class", "object", "factory"],
)
def test_stores_of_the_settings(store: Any, kind: type) -> None:
    """``STORE`` is a store, what makes one, a path to either, or None for no claims at all."""
    assert type(receiver(STORE=store).store) is kind


def test_the_secret_is_asked_for_every_delivery() -> None:
    """A secret that changes in the settings counts at once; lists and callables work as well."""
    hooks = receiver(STORE=None)
    request = signed_request(make_event(SaleCreated), "whsec_new")
    with pytest.raises(SignatureMismatch):
        hooks.unwrap(*request)
    for secret in ("whsec_new", [SECRET, "whsec_new"], lambda: ("whsec_new",)):
        with override_settings(DUBHOOKS={"WEBHOOK_SECRET": secret}):
            assert isinstance(hooks.unwrap(*request), SaleCreated)


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ({"LEASE": 0}, "lease takes seconds or a timedelta"),
        ({"RETENTION": "30 days"}, "retention takes seconds or a timedelta"),
        ({"STORE": "dubhooks.NoStore"}, "names 'dubhooks.NoStore', which cannot be imported"),
        ({"STORE": object()}, "store needs the methods claim"),
        ({"NAMESPACE": "a b"}, "a namespace must be"),
        ({"max_body": 1}, "DUBHOOKS has no 'max_body': it has WEBHOOK_SECRET, POSTBACK_SECRET, "),
    ],
    ids=["lease", "retention", "path", "store", "namespace", "key"],
)
def test_bad_settings_are_named(given: dict[str, Any], hint: str) -> None:
    """A value that cannot work raises when the receiver is built."""
    with pytest.raises(ConfigurationError, match=hint):
        receiver(**given)


@pytest.mark.parametrize("given", [{"POSTBACK_SECRET": "pbsec_x"}, {"WEBHOOK_SECRET": None}])
def test_a_receiver_without_a_secret(
    given: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It can be imported; its deliveries are answered 503, and the log names the setting."""
    with override_settings(DUBHOOKS={"STORE": None, **given}):
        hooks = _settings.hooks.__wrapped__()
        reply = hooks.handle(*signed_request(make_event(SaleCreated), SECRET))
    assert (reply.status, reply.outcome) == (503, "unavailable")
    assert "DUBHOOKS['WEBHOOK_SECRET'] is not set" in caplog.text


def test_the_package_is_no_app() -> None:
    """Who writes "dubhooks" into INSTALLED_APPS is told to write "dubhooks.django"."""
    with (
        override_settings(INSTALLED_APPS=["dubhooks"]),
        pytest.raises(ConfigurationError, match=r'write "dubhooks\.django"'),
    ):
        _settings.hooks.__wrapped__()


def manage(directory: Path, settings: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of a project whose one app registers a handler with ``hooks``."""
    app = directory / "shop"
    app.mkdir()
    (app / "__init__.py").touch()
    (app / "dubhooks_handlers.py").write_text(
        "from dubhooks.django import hooks\n"
        "from dubhooks.webhooks import SaleCreated\n"
        "hooks.on(SaleCreated)(lambda event: None)\n"
    )
    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
    code = (
        "from django.conf import settings\n"
        "settings.configure(USE_TZ=True, INSTALLED_APPS=['dubhooks.django', 'shop'], "
        f"SECRET_KEY='x', DATABASES={databases}, DUBHOOKS={settings})\n"
        f"from django.core.management import execute_from_command_line as run\nrun({arguments})"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=directory, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("secrets", ["'WEBHOOK_SECRET': None", "'POSTBACK_SECRET': 'pbsec_x'"])
def test_a_missing_secret_stops_no_command_of_a_colleague(tmp_path: Path, secrets: str) -> None:
    """It is a warning to ``migrate``, and an error to who deploys."""
    migrated = manage(tmp_path, f"{{{secrets}}}", "manage.py", "migrate")
    assert migrated.returncode == 0, migrated.stderr
    assert (tmp_path / "db.sqlite3").exists()
    (tmp_path / "again").mkdir()
    checked = manage(tmp_path / "again", f"{{{secrets}}}", "manage.py", "check", "--deploy")
    assert checked.returncode == 1
    assert "dubhooks.E003" in checked.stderr


def found(
    *tags: str, databases: list[str] | None = None, deploy: bool = False, **changes: Any
) -> dict[str, str]:
    """Return what our checks find, by id."""
    with override_settings(**changes):
        messages = run_checks(
            tags=tags or None, databases=databases, include_deployment_checks=deploy
        )
    return {
        str(message.id).removeprefix("dubhooks."): f"{message.msg} {message.hint}"
        for message in messages
        if str(message.id).startswith("dubhooks.")
    }


def test_the_project_passes_its_checks() -> None:
    """Where nothing is wrong, nothing is said."""
    assert found(databases=["default"]) == {}
    assert found(DUBHOOKS=None) == {}


@pytest.mark.parametrize(
    ("secret", "hint"),
    [(f" {SECRET}", "space"), (f'"{SECRET}"', "quote"), (7, "no signing secret")],
)
def test_checks_of_a_secret_that_cannot_work(secret: Any, hint: str) -> None:
    """A secret that cannot be right is an error that says what to do, without the secret."""
    message = found(DUBHOOKS={"WEBHOOK_SECRET": secret})["E003"]
    assert hint in message
    assert SECRET not in message


OTHER = {"POSTBACK_SECRET": POSTBACK_SECRET}


def broken() -> str:
    """Be a secret's callable that fails."""
    raise KeyError(SECRET)


@pytest.mark.parametrize(
    "given",
    [
        {"NAMESPACE": "shop"},
        OTHER,
        *(
            {"WEBHOOK_SECRET": secret, **OTHER}
            for secret in (None, "", [], [None, ""], lambda: "", broken)
        ),
    ],
)
def test_checks_of_a_missing_secret(given: dict[str, Any]) -> None:
    """It is a warning that says what to do; with ``--deploy`` it is an error too."""
    message = found(DUBHOOKS=given)["W003"]
    for words in ("_SECRET'] ", "environment variable", "answered 503"):
        assert words in message
    assert found(DUBHOOKS=given, deploy=True)["E003"] == message
    assert SECRET not in message


def test_check_of_a_receiver_without_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing takes an event, the check names the module that is looked for."""
    assert "W010" not in found()
    hooks = receiver(STORE=None)
    monkeypatch.setattr(_settings, "list_receivers", lambda: {"WEBHOOK_SECRET": hooks})
    message = found()["W010"]
    assert "no handler is registered for hooks" in message
    assert "<app>/dubhooks_handlers.py" in message
    hooks.on(SaleCreated)(lambda event: None)
    assert "W010" not in found()


def test_a_decorated_view_is_a_handler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A receiver whose views are in the URLs has handlers: the check imports the URLs first."""
    hooks = receiver(STORE=None)
    monkeypatch.setattr(_settings, "list_receivers", lambda: {"WEBHOOK_SECRET": hooks})
    (tmp_path / "urls_with_a_view.py").write_text(
        "from django.urls import path\n"
        "from dubhooks.django import _settings, webhook\n"
        "hooks = _settings.list_receivers()['WEBHOOK_SECRET']\n"
        "sale = webhook(hooks)(lambda request, event: None)\n"
        "urlpatterns = [path('sale/', sale)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "W010" in found()
    assert "W010" not in found(ROOT_URLCONF="urls_with_a_view")


def test_checks_of_settings_that_redirect() -> None:
    """Settings that make Django redirect deliveries are warned of: Dub takes that as success."""
    assert "Set SECURE_PROXY_SSL_HEADER" in found(SECURE_SSL_REDIRECT=True)["W005"]
    header: dict[str, Any] = {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}
    assert "W005" not in found(SECURE_SSL_REDIRECT=True, **header)
    assert "W005" not in found(SECURE_SSL_REDIRECT=True, SECURE_REDIRECT_EXEMPT=["^dub/"])
    assert "www." in found(PREPEND_WWW=True)["W005"]
