"""The pytest plugin: its fixtures here, and what it costs in a pytest of its own."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import dubhooks
from dubhooks import ConfigurationError, Webhooks
from dubhooks.testing import (
    ASGIClient,
    ClientFactory,
    DjangoClient,
    HeldQueue,
    RecordingStore,
    WSGIClient,
    make_event,
)
from dubhooks.webhooks import SaleCreated

pytest_plugins = ["pytester"]

PLUGIN = "dubhooks.testing.pytest_plugin"
PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
HEAVY = [
    *("pydantic", "dubhooks.webhooks", "dubhooks.receiver", "dubhooks.testing.clients"),
    *("flask", "fastapi", "starlette", "django", "httpx"),
]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a directory to run a pytest of its own in, with only our plugin."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", f"-p {PLUGIN} -p no:cacheprovider -W error")
    return pytester


def receiver(secret: str, store: RecordingStore) -> Webhooks:
    """Return a receiver that handles sales."""
    hooks = Webhooks(secret, store=store)
    hooks.on(SaleCreated)(lambda _: None)
    return hooks


class TestFixtures:
    """The fixtures, as pytest gives them to this very test run."""

    def test_factory(self, dub_event: Any) -> None:
        """It makes an event of a class, or the webhook event of a name."""
        by_class, by_name = dub_event(SaleCreated, id="evt_1"), dub_event("sale.created")
        assert (type(by_class), by_class.id) == (type(by_name), "evt_1") == (SaleCreated, "evt_1")
        assert dub_event("external_payout.confirmed").event == "external_payout.confirmed"
        with pytest.raises(ConfigurationError, match="make_event takes the class of an event"):
            dub_event("sale.crated")

    @pytest.mark.parametrize("mount", [dubhooks.wsgi.app, dubhooks.asgi.app])
    def test_together(
        self, mount: Any, dub_client: ClientFactory, dub_store: RecordingStore, dub_secret: Any
    ) -> None:
        """Client, secret and store belong together."""
        sale = make_event(SaleCreated)
        client = dub_client(mount(receiver(dub_secret, dub_store)))
        client.deliver_twice(sale)
        client.assert_handled_once(sale)
        assert len(dub_store.calls_of(sale)) == 3

    def test_every_queue_is_new(self, dub_queue: HeldQueue) -> None:
        """A test gets a queue of its own, which holds nothing."""
        assert (dub_queue.messages, dub_queue.run()) == ([], 0)

    def test_every_store_is_new(self, dub_store: RecordingStore) -> None:
        """The claims of another test are not there."""
        assert dub_store.calls == []

    def test_path_and_secret(self, dub_client: ClientFactory, dub_store: RecordingStore) -> None:
        """Both can be given: an app may have a second receiver with its own secret."""
        app: Any = dubhooks.wsgi.app(receiver("another secret", dub_store))
        client = dub_client(app, path="/postbacks/dub", secret="another secret")
        assert client.deliver(make_event(SaleCreated)).outcome == "handled"
        assert dub_client(app).deliver(make_event(SaleCreated)).status == 401

    def test_frameworks(self, dub_client: ClientFactory, dub_store: RecordingStore) -> None:
        """An app gets its client; no app is the Django project, with the secret of its settings."""
        flask, fastapi = pytest.importorskip("flask"), pytest.importorskip("fastapi")
        pytest.importorskip("rest_framework")
        import_module("tests.support.adapters.django_setup")  # configures Django
        from django.test import override_settings
        from django.urls import path

        assert isinstance(dub_client(flask.Flask("shop")), WSGIClient)
        assert isinstance(dub_client(fastapi.FastAPI()), ASGIClient)
        urls = (path("dub", dubhooks.django.view(receiver("of the project", dub_store))),)
        settings = {"ROOT_URLCONF": urls, "DUBHOOKS": {"WEBHOOK_SECRET": "of the project"}}
        with override_settings(**settings):
            client = dub_client(path="/dub")
            assert isinstance(client, DjangoClient)
            assert client.deliver(make_event(SaleCreated)).outcome == "handled"

    def test_wrong_use(self, dub_client: ClientFactory, dub_secret: Any) -> None:
        """An empty secret is not replaced by the fixture's, and a receiver is no app."""
        hooks = Webhooks(dub_secret)
        with pytest.raises(ConfigurationError, match="secret is empty"):
            dub_client(dubhooks.wsgi.app(hooks), secret="").deliver(b"{}")
        with pytest.raises(ConfigurationError, match=r"a receiver as dubhooks\.wsgi\.app\(hooks\)"):
            dub_client(hooks)


def test_it_is_found() -> None:
    """The test runner finds the plugin by its entry point, which has the name of the module."""
    found = [one.name for one in entry_points(group="pytest11") if one.value == PLUGIN]
    assert found == [PLUGIN]


def test_it_may_be_named_as_well(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project that names the plugin, which is found anyway, does not register it twice."""
    pytester.makeconftest(f"pytest_plugins = [{PLUGIN!r}]")
    pytester.makepyfile("def test_it(dub_event): assert dub_event('sale.created').id")
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    for options in ([], ["-p", PLUGIN]):
        ran = pytester.runpytest_subprocess(*options, "-p", "no:cacheprovider")
        ran.assert_outcomes(passed=1)


def test_it_costs_nothing_until_it_is_used(run: pytest.Pytester) -> None:
    """A test run that asks for no fixture imports nothing for us; one that asks works."""
    run.makepyfile(
        f"""
        import sys

        def test_unused():
            assert "dubhooks.testing.pytest_plugin" in sys.modules
            assert [name for name in {HEAVY!r} if name in sys.modules] == []

        def test_used(dub_store, dub_event):
            from dubhooks.webhooks import SaleCreated

            assert dub_store.calls_of(dub_event(SaleCreated)) == []
            assert "pydantic" in sys.modules
        """
    )
    run.runpytest_subprocess().assert_outcomes(passed=2)


def test_the_page_on_testing_passes(run: pytest.Pytester) -> None:
    """The tests on the documentation's page are collected and pass."""
    for framework in ("flask", "fastapi", "django"):
        pytest.importorskip(framework)
    blocks = re.findall(
        r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    run.makepyfile(test_page="".join(blocks))
    # The page itself runs its async test, and the contract of stores has tests of its own.
    # Warnings of the oldest frameworks are not ours.
    ran = run.runpytest_subprocess("-W", "default", "-k", "recorded_once")
    ran.assert_outcomes(passed=1)
