"""The app: the setting ``DUBHOOKS``, system checks, and the command."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connections, transaction
from django.test import override_settings
from django.urls import include, path

import dubhooks.django
from dubhooks import (
    ConfigurationError,
    DeliveryRecord,
    MemoryStore,
    Postbacks,
    SignatureMismatch,
    Webhooks,
    postbacks,
)
from dubhooks.django import DjangoInbox, DjangoStore, _settings
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import SaleCreated
from tests.support.adapters.django_setup import POSTBACK_SECRET, add_database, sqlite
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


def test_a_sale_that_comes_to_both_receivers_is_two_events() -> None:
    """Webhooks and postbacks share the store but not their claims."""
    event_id = make_event(SaleCreated).id
    for hooks, event, secret in (
        (dubhooks.django.hooks, make_event(SaleCreated, id=event_id), SECRET),
        (
            dubhooks.django.postback_hooks,
            make_event(postbacks.SaleCreated, id=event_id),
            POSTBACK_SECRET,
        ),
    ):
        request = signed_request(event, secret)
        assert [hooks.handle(*request).outcome for _ in range(2)] == ["handled", "duplicate"]
    connections.close_all()


def test_every_setting_counts(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each key of ``DUBHOOKS`` is an argument of the receiver."""
    monkeypatch.setitem(sys.modules, "a_module", sys.modules[__name__])
    RECORDS.clear()
    hooks = receiver(
        STORE="dubhooks.MemoryStore",
        NAMESPACE="shop",
        LEASE=5,
        RETENTION=timedelta(days=40),
        MAX_AGE=timedelta(hours=1),
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
        ({"LEASE": 0}, "lease must be a positive number"),
        ({"RETENTION": 30}, "retention must be a timedelta"),
        ({"STORE": "dubhooks.NoStore"}, "names 'dubhooks.NoStore', which cannot be imported"),
        ({"STORE": object()}, "a store needs claim"),
        ({"NAMESPACE": "a b"}, "a namespace must be"),
    ],
    ids=["lease", "retention", "path", "store", "namespace"],
)
def test_bad_settings_are_named(given: dict[str, Any], hint: str) -> None:
    """A value that cannot work raises when the receiver is built."""
    with pytest.raises(ConfigurationError, match=hint):
        receiver(**given)


@pytest.mark.parametrize("given", [None, {}, {"POSTBACK_SECRET": "pbsec_x"}])
def test_a_receiver_without_settings_is_named(given: Any) -> None:
    """Asking for a receiver that the settings do not describe says what to write."""
    with (
        override_settings(DUBHOOKS=given),
        pytest.raises(ConfigurationError, match=r'DUBHOOKS = \{"WEBHOOK_SECRET"'),
    ):
        _settings.hooks.__wrapped__()


def start(settings: str) -> subprocess.CompletedProcess[str]:
    """Start Django with settings of its own."""
    code = (
        "from django.conf import settings\n"
        f"settings.configure(USE_TZ=True, INSTALLED_APPS=['dubhooks.django'], {settings})\n"
        "import django; django.setup()"
    )
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )


def test_bad_settings_stop_the_start() -> None:
    """A server runs no system checks, so Django does not start with settings that cannot work."""
    for given, hint in (
        ("DUBHOOKS={'WEBHOOK_SECRET': 'whsec_x', 'LEASE': -1}", "lease must be a positive number"),
        ("DUBHOOKS=['whsec_x']", "DUBHOOKS must be a dictionary"),
    ):
        started = start(given)
        assert started.returncode != 0
        assert hint in started.stderr


@pytest.mark.parametrize("given", ["", "DUBHOOKS={'WEBHOOK_SECRET': None}", "DUBHOOKS={}"])
def test_commands_run_without_a_secret(given: str) -> None:
    """Where there is no secret, as when an image is built, Django starts."""
    started = start(given)
    assert started.returncode == 0, started.stderr


def found(*tags: str, databases: list[str] | None = None, **changes: Any) -> dict[str, str]:
    """Return what our checks find, by id."""
    with override_settings(**changes):
        messages = run_checks(tags=tags or None, databases=databases)
    return {
        str(message.id).removeprefix("dubhooks."): f"{message.msg} {message.hint}"
        for message in messages
        if str(message.id).startswith("dubhooks.")
    }


def test_the_project_passes_its_checks() -> None:
    """Without a fault only the remark about ATOMIC_REQUESTS is there, and without it nothing."""
    assert set(found(databases=["default"])) == {"I008"}
    assert found(DUBHOOKS=None) == {}


@pytest.mark.parametrize(
    ("given", "code", "hint"),
    [
        ({"WEBHOOK_SECRET": SECRET, "WEBHOOK_SECRETS": SECRET}, "E001", "mean 'WEBHOOK_SECRET'?"),
        ({"WEBHOOK_SECRET": SECRET, "max_body": 1}, "E001", "mean 'MAX_BODY'?"),
        ({"WEBHOOK_SECRET": SECRET, "xyz": 1}, "E001", "It has ["),
        ({"NAMESPACE": "shop"}, "E002", "neither of WEBHOOK_SECRET and POSTBACK_SECRET"),
        ({"WEBHOOK_SECRET": None}, "E003", "environment variable"),
        ({"WEBHOOK_SECRET": ""}, "E003", "environment variable"),
        ({"POSTBACK_SECRET": lambda: ""}, "E003", "environment variable"),
        ({"WEBHOOK_SECRET": []}, "E003", "no signing secret"),
        ({"WEBHOOK_SECRET": f" {SECRET}"}, "E003", "space"),
        ({"WEBHOOK_SECRET": f'"{SECRET}"'}, "E003", "quote"),
        ({"WEBHOOK_SECRET": 7}, "E003", "no signing secret"),
    ],
)
def test_checks_of_the_setting(given: dict[str, Any], code: str, hint: str) -> None:
    """A wrong key and a secret that cannot be right are errors that say what to do."""
    message = found(DUBHOOKS=given)[code]
    assert hint in message
    assert SECRET not in message


def test_checks_of_settings_that_redirect() -> None:
    """Settings that make Django redirect deliveries are warned of: Dub takes that as success."""
    assert "Set SECURE_PROXY_SSL_HEADER" in found(SECURE_SSL_REDIRECT=True)["W005"]
    header = {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}
    assert "W005" not in found(SECURE_SSL_REDIRECT=True, **header)
    assert "W005" not in found(SECURE_SSL_REDIRECT=True, SECURE_REDIRECT_EXEMPT=["^dub/"])
    assert "W005" not in found(SECURE_SSL_REDIRECT=True, MIDDLEWARE=[])
    assert "www." in found(PREPEND_WWW=True)["W006"]
    assert "W006" not in found(PREPEND_WWW=True, MIDDLEWARE=[])


def test_check_of_urls_with_a_language() -> None:
    """A view inside ``i18n_patterns`` is warned of, and one beside it is not."""
    ours = path("dub/", include("dubhooks.django.urls"))
    inside = tuple(i18n_patterns(path("shop/", include([ours]))))
    assert "'shop/dub/^postback/?$'" in found("urls", ROOT_URLCONF=inside)["W007"]
    assert found("urls", ROOT_URLCONF=(ours, *i18n_patterns(path("x", lambda request: None)))) == {}


def test_check_of_the_body_limit() -> None:
    """A site-wide limit below ``MAX_BODY`` is warned of."""
    assert "(1000 bytes)" in found(DATA_UPLOAD_MAX_MEMORY_SIZE=1_000)["W004"]
    assert "W004" not in found(DATA_UPLOAD_MAX_MEMORY_SIZE=None)


def test_check_of_the_table() -> None:
    """A table that is missing is warned of where the database is checked, until there is one."""
    call_command("migrate", "dubhooks", "zero", verbosity=0)
    try:
        assert "Run manage.py migrate" in found("database", databases=["default"])["W009"]
        assert found("database", databases=["other"]) == {}
        assert found("database") == {}
    finally:
        call_command("migrate", "dubhooks", verbosity=0)
    assert found("database", databases=["default"]) == {}
    connections.close_all()


def test_the_migration_is_complete() -> None:
    """The models have no change that the migration lacks."""
    call_command("makemigrations", "dubhooks", check=True, dry_run=True, verbosity=0)
    connections.close_all()


def test_purge_command() -> None:
    """The command deletes claims whose retention is over, and inbox entries only when asked to."""
    add_database("purged", sqlite("purged.db"))
    store, inbox = DjangoStore(using="purged"), DjangoInbox(using="purged")
    for key, retention in (("old", 0.000_001), ("new", 3600.0)):
        store.claim(key, "t", fingerprint="", lease=1, retention=retention)
    event = make_event(SaleCreated)
    with transaction.atomic(using="purged"):
        assert inbox.first(event)

    def purge(*arguments: str) -> str:
        output = io.StringIO()
        call_command("dubhooks_purge", "--database", "purged", *arguments, stdout=output)
        return output.getvalue()

    assert purge() == "claims: 1 deleted\n"
    assert purge("--inbox-days", "1") == "claims: 0 deleted\ninbox: 0 deleted\n"
    assert purge("--inbox-days", "-1") == "claims: 0 deleted\ninbox: 1 deleted\n"
    with transaction.atomic(using="purged"):
        assert inbox.first(event)
    connections.close_all()
