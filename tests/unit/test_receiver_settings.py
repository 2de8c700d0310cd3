"""Settings: a receiver that cannot work is refused when it is made, not with its first delivery."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dubhooks import (
    ConfigurationError,
    DeliveryRecord,
    InvalidEvent,
    MemoryStore,
    Postbacks,
    Webhooks,
    sign,
)
from dubhooks.errors import EventFromFuture, EventTooOld
from dubhooks.health import FailureWatch
from dubhooks.receiver import pipeline_of
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import SECRET, AsyncMemoryStore, sale, signed, unfit

Log = pytest.LogCaptureFixture

DAY = timedelta(days=1)
METHODS = "claim, complete, release, forget"


class NoStore:
    """An object that lacks a store's last method."""

    def claim(self) -> None:
        """Do nothing."""

    complete = release = claim


class AsyncLetters:
    """Dead letters that nobody would wait for."""

    async def keep(self, *_: object) -> None:
        """Do nothing."""


async def async_observer(_: object) -> None:
    """Do nothing, as nobody awaits it."""


BAD: list[tuple[Mapping[str, Any], str]] = [
    ({"store": "dubhooks.db"}, rf"store needs the methods {METHODS}, and str has no claim: pass"),
    ({"store": NoStore()}, "NoStore has no forget: pass an object that has them"),
    ({"store": MemoryStore}, r"store is the class MemoryStore: pass MemoryStore\("),
    ({"namespace": ""}, "a namespace must be 1 to 64"),
    ({"namespace": "a:b"}, "a namespace must be"),
    ({"namespace": "a\n"}, "a namespace must be"),
    ({"namespace": None}, "a namespace must be"),
    ({"lease": 0}, "lease takes seconds or a timedelta, more than 0"),
    ({"lease": None}, "lease takes"),
    ({"lease": 3601, "retention": timedelta(hours=1)}, "lease is longer than retention"),
    ({"retention": timedelta.max}, "retention takes"),
    ({"max_age": False}, "max_age takes"),
    ({"store": MemoryStore(), "max_age": 31 * DAY}, "max_age is longer than retention"),
    ({"max_body": 0}, "max_body must be a whole number of bytes"),
    ({"max_body": True}, "max_body must be"),
    ({"dead_letters": "letters"}, "dead_letters needs the methods keep, and str has no keep: pass"),
    ({"dead_letters": AsyncLetters()}, "keep of AsyncLetters is async, and nobody would await it"),
    ({"observers": FailureWatch()}, "observers must be a list of callables"),
    ({"observers": None}, "observers must be a list of callables"),
    ({"observers": [None]}, "the observer NoneType cannot be called, or is async"),
    ({"observers": [async_observer]}, "the observer async_observer cannot be called, or is async"),
]


@pytest.mark.parametrize(
    ("settings", "message"), BAD, ids=[f"{at}-{'-'.join(it)}" for at, (it, _) in enumerate(BAD)]
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    """A setting that cannot work is refused with a message that says what would."""
    for receiver in (Webhooks, Postbacks):
        with pytest.raises(ConfigurationError, match=message):
            receiver(SECRET, **settings)


def test_what_a_receiver_shows() -> None:
    """Its public names are those of the contract: what adapters need is private."""
    for cls in (Webhooks, Postbacks):
        assert {name for name in dir(cls(SECRET)) if not name.startswith("_")} == {
            *("on", "on_unhandled", "unwrap", "handle", "ahandle", "forget", "aforget"),
            *("warm_up", "max_body", "store"),
        }
    store = MemoryStore()
    hooks = Webhooks(SECRET, store=store, max_body=5)
    assert hooks.store is store
    assert hooks.max_body == 5
    assert Webhooks(SECRET).max_body == 1_048_576
    assert Webhooks(SECRET).store is None


@pytest.mark.parametrize("hooks", [None, SECRET, SaleCreated, object()])
def test_what_is_no_receiver(hooks: Any) -> None:
    """Adapters say what comes first, whatever they were given."""
    with pytest.raises(ConfigurationError, match="the receiver comes first: @webhook"):
        pipeline_of(hooks)


class TestMaxAge:
    """Too old is a replay, and what is from tomorrow cannot be judged."""

    @pytest.mark.parametrize(
        ("settings", "days", "error"),
        [
            ({}, 4000, None),
            ({"store": MemoryStore()}, 29.9, None),
            ({"store": MemoryStore()}, 30.1, EventTooOld),
            ({"store": MemoryStore()}, -0.9, None),
            ({"store": MemoryStore()}, -1.1, EventFromFuture),
            ({"store": MemoryStore(), "retention": 2 * DAY}, 2.1, EventTooOld),
            ({"store": MemoryStore(), "max_age": None}, 4000, None),
            ({"store": MemoryStore(), "max_age": DAY}, 1.1, EventTooOld),
            ({"max_age": 3600}, 0.1, EventTooOld),
        ],
    )
    def test_age(self, settings: dict[str, Any], days: float, error: Any) -> None:
        """Without a store no age is too old; with one, what it may have forgotten is."""
        hooks = Webhooks(SECRET, **settings)
        event = sale(created_at=datetime.now(timezone.utc) - timedelta(days=days))
        reply = hooks.handle(*signed(event))
        if error is None:
            assert (reply.status, reply.outcome) == (200, "ignored")
            assert hooks.unwrap(*signed(event)) == event
            return
        assert (reply.status, reply.outcome, reply.event_id) == (400, "malformed", event.id)
        assert reply.body == b'{"outcome":"malformed","code":"%s"}' % error.code.encode()
        with pytest.raises(error) as raised:
            hooks.unwrap(*signed(event))
        assert (raised.value.event_name, raised.value.event_id) == ("sale.created", event.id)


class TestSecrets:
    """Rotation, hot swap, and what looks wrong."""

    @pytest.mark.parametrize(
        ("cls", "secret", "message"),
        [
            (
                Webhooks,
                "dub_marker123",
                "as Dub's API keys do: the secret of a webhook begins with",
            ),
            (Webhooks, "whsec_", "nothing but the prefix whsec_: was it cut off"),
            (Webhooks, "pbsec_marker", "begins with pbsec_, so it belongs to the other family"),
            (Webhooks, ["whsec_marker", "dub_marker"], "as Dub's API keys do"),
            (Postbacks, "dub_marker123", "the secret of a postback begins with pbsec_"),
            (Postbacks, "whsec_marker", "begins with whsec_, so it belongs to the other family"),
        ],
    )
    def test_odd_secrets(self, cls: Any, secret: Any, message: str, discreet: Log) -> None:
        """What looks wrong is a WARNING, never a refusal: callers once could choose any."""
        hooks = cls(secret)
        [record] = discreet.records
        assert record.levelname == "WARNING"
        assert message in record.getMessage()
        last = secret[-1] if isinstance(secret, list) else secret
        assert hooks.handle(*signed_with(last)).status == 200

    @pytest.mark.parametrize(
        "secret",
        [SECRET, "whsec_a", "chosen by hand", "\xff", ["whsec_a", b"\xff"], lambda: "dub_"],
    )
    def test_other_secrets(self, secret: Any, discreet: Log) -> None:
        """Any other secret is taken without a word; a callable is asked only for deliveries."""
        Webhooks(secret)
        assert not discreet.records

    def test_hot_swap(self) -> None:
        """A callable is asked for every delivery, so that a secret changes without a restart."""
        current = ["whsec_1"]
        hooks = Webhooks(lambda: current[0])
        request = signed_with("whsec_2")
        assert hooks.handle(*request).status == 401
        current[0] = "whsec_2"
        assert hooks.handle(*request).status == 200

    @pytest.mark.parametrize("secret", ["", None, [], " x", OSError("the vault is away")])
    def test_a_callable_without_a_secret(self, secret: Any) -> None:
        """Nothing can be verified: Dub sends the event again, and ``unwrap`` raises."""

        def load() -> Any:
            if isinstance(secret, OSError):
                raise secret
            return secret

        records: list[DeliveryRecord] = []
        hooks = Webhooks(load, store=MemoryStore(), observers=[records.append])
        hooks.on(SaleCreated)(lambda _: pytest.fail("a handler ran"))
        reply = hooks.handle(*signed(sale()))
        assert [(record.outcome, record.status) for record in records] == [("unavailable", 503)]
        assert (reply.status, reply.outcome) == (503, "unavailable")
        assert reply.headers["Retry-After"] == "30"
        with pytest.raises((ConfigurationError, OSError)):
            hooks.unwrap(*signed(sale()))


class TestUnwrap:
    """Verifying and parsing without anything else."""

    def test_nothing_is_claimed_or_run(self) -> None:
        """``unwrap`` returns the event as often as it is asked, and asks no store."""
        store = AsyncMemoryStore()
        hooks = Webhooks(SECRET, store=store)
        hooks.on(SaleCreated)(lambda _: pytest.fail("a handler ran"))
        event = sale()
        body, headers = signed(event)
        for given in (body, bytearray(body), memoryview(body)):
            assert hooks.unwrap(given, headers) == event  # type: ignore[arg-type]
        assert store.rows.calls == []

    def test_invalid(self) -> None:
        """A known event that does not fit is raised, with the paths of its fields."""
        with pytest.raises(InvalidEvent, match=r"data\.sale\.amount: int_type") as caught:
            Webhooks(SECRET).unwrap(*signed(unfit(sale())))
        assert "marker" not in str(caught.value)


def signed_with(secret: Any) -> tuple[bytes, dict[str, str]]:
    """Return a request that is signed with ``secret``."""
    body = sale().to_json()
    return body, {"Dub-Signature": sign(body, secret)}
