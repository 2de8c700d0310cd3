"""Settings: a receiver that cannot work is refused when it is made, not with its first delivery."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dubhooks import (
    ConfigurationError,
    EventTooOld,
    InvalidEvent,
    MemoryStore,
    Postbacks,
    SignatureMismatch,
    Webhooks,
    sign,
)
from dubhooks.health import FailureWatch
from dubhooks.idempotency._keys import event_key, natural_key
from dubhooks.receiver._settings import UNSET
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import (
    SECRET,
    AsyncMemoryStore,
    InlineStore,
    fingerprint,
    sale,
    signed,
    unfit,
)

DAY = timedelta(days=1)


class NoStore:
    """An object that lacks a store's last method."""

    def claim(self) -> None:
        """Do nothing."""

    complete = claim


BAD: list[tuple[dict[str, Any], str]] = [
    ({"store": "dubhooks.db"}, "str has no claim: pass an object such as SQLiteStore"),
    ({"store": NoStore()}, "NoStore has no release"),
    ({"store": 0}, "int has no claim"),
    ({"store": MemoryStore}, r"the class MemoryStore: pass MemoryStore\("),
    ({"max_body": 1.5}, "max_body must be a whole number"),
    ({"namespace": ""}, "a namespace must be 1 to 64"),
    ({"namespace": "a" * 65}, "a namespace must be"),
    ({"namespace": "a:b"}, "a namespace must be"),
    ({"namespace": "a b"}, "a namespace must be"),
    ({"namespace": "a\n"}, "a namespace must be"),
    ({"namespace": "é"}, "a namespace must be"),
    ({"namespace": None}, "a namespace must be"),
    ({"namespace": b"shop"}, "a namespace must be"),
    ({"lease": 0}, "lease must be a positive number"),
    ({"lease": -1}, "lease must be"),
    ({"lease": float("nan")}, "lease must be"),
    ({"lease": float("inf")}, "lease must be"),
    ({"lease": True}, "lease must be"),
    ({"lease": "60"}, "lease must be"),
    ({"lease": None}, "lease must be"),
    ({"lease": timedelta(seconds=60)}, "lease must be"),
    ({"lease": 3601, "retention": timedelta(hours=1)}, "lease is longer than retention"),
    ({"retention": 30}, "retention must be a timedelta"),
    ({"retention": None}, "retention must be a timedelta"),
    ({"retention": timedelta(0)}, "retention must be a positive number"),
    ({"retention": -DAY}, "retention must be a positive number"),
    ({"retention": timedelta.max}, "retention must be a positive number"),
    ({"max_age": 30}, "max_age must be a timedelta"),
    ({"max_age": timedelta(0)}, "max_age must be a positive number"),
    ({"max_age": False}, "max_age must be a timedelta"),
    ({"store": MemoryStore(), "max_age": 31 * DAY}, "max_age is longer than retention"),
    ({"max_body": 0}, "max_body must be"),
    ({"max_body": "1 MB"}, "max_body must be"),
    ({"max_body": None}, "max_body must be"),
    ({"dead_letters": "letters"}, "dead_letters needs a method keep"),
    ({"observers": FailureWatch()}, "observers must be a list of callables"),
    ({"observers": None}, "observers must be a list of callables"),
    ({"observers": [None]}, "observers must be a list of callables"),
    ({"observers": "log"}, "observers must be a list of callables"),
]


@pytest.mark.parametrize(
    ("settings", "message"), BAD, ids=[f"{next(reversed(it))}={it!r}"[:60] for it, _ in BAD]
)
@pytest.mark.parametrize("receiver", [Webhooks, Postbacks])
def test_bad_settings(receiver: Any, settings: dict[str, Any], message: str) -> None:
    """A setting that cannot work is refused with a message that says what would."""
    with pytest.raises(ConfigurationError, match=message):
        receiver(SECRET, **settings)


def test_an_async_observer_is_refused() -> None:
    """An async observer would never run, because nobody awaits it."""

    async def observer(_: object) -> None: ...

    with pytest.raises(ConfigurationError, match="not async"):
        Webhooks(SECRET, observers=[observer])


@pytest.mark.parametrize("secret", ["", " x", '"x"', [], None, 5, ["x", ""], [None], b"", {}])
def test_bad_secrets(secret: Any) -> None:
    """A secret that cannot be right is refused when the receiver is made."""
    with pytest.raises(ConfigurationError):
        Webhooks(secret)


def test_settings_are_keyword_only() -> None:
    """Only the secret can be given by position."""
    with pytest.raises(TypeError):
        Webhooks(SECRET, MemoryStore())  # type: ignore[misc]


class TestMaxAge:
    """Too old is a replay: neither handled nor a duplicate."""

    @pytest.mark.parametrize(
        ("settings", "days", "too_old"),
        [
            ({}, 4000, False),
            ({"store": MemoryStore()}, 29.9, False),
            ({"store": MemoryStore()}, 30.1, True),
            ({"store": MemoryStore(), "retention": 2 * DAY}, 1.9, False),
            ({"store": MemoryStore(), "retention": 2 * DAY}, 2.1, True),
            ({"store": MemoryStore(), "max_age": None}, 4000, False),
            ({"store": MemoryStore(), "max_age": DAY}, 1.1, True),
            ({"store": MemoryStore(), "max_age": 30 * DAY}, 29.9, False),
            ({"max_age": 400 * DAY}, 399, False),
            ({"max_age": DAY}, 1.1, True),
            ({"max_age": DAY}, -3, False),
        ],
    )
    def test_age(self, settings: dict[str, Any], days: float, too_old: bool) -> None:
        """Without a store no age is too old; with one, what it may have forgotten is."""
        hooks = Webhooks(SECRET, **settings)
        event = sale(created_at=datetime.now(timezone.utc) - timedelta(days=days))
        body, headers = signed(event)
        reply = hooks.handle(body, headers)
        assert (reply.status, reply.body) == (
            (400, b'{"outcome":"malformed","code":"event_too_old"}')
            if too_old
            else (200, b'{"outcome":"ignored"}')
        )
        if too_old:
            with pytest.raises(EventTooOld, match="a replay, not a retry"):
                hooks.unwrap(body, headers)
        else:
            assert hooks.unwrap(body, headers) == event

    def test_the_default_is_readable(self) -> None:
        """The signature of a receiver says what the default means."""
        assert repr(UNSET) == "<retention when there is a store, else None>"


class TestSecrets:
    """Rotation and hot swap."""

    def test_any_secret_matches(self) -> None:
        """While a secret is rotated, deliveries signed with either are accepted."""
        hooks = Webhooks(["whsec_new", b"whsec_old"])
        body = sale().to_json()
        for secret in ("whsec_new", "whsec_old"):
            assert hooks.unwrap(body, {"Dub-Signature": sign(body, secret)})
        with pytest.raises(SignatureMismatch):
            hooks.unwrap(body, {"Dub-Signature": sign(body, "whsec_other")})

    def test_hot_swap(self) -> None:
        """A callable is asked for every delivery, so that a secret changes without a restart."""
        current = ["whsec_1"]
        hooks = Webhooks(lambda: current[0])
        body = sale().to_json()
        headers = {"Dub-Signature": sign(body, "whsec_2")}
        assert hooks.handle(body, headers).status == 401
        current[0] = "whsec_2"
        assert hooks.handle(body, headers).status == 200

    @pytest.mark.parametrize("secret", ["", None, []])
    def test_a_callable_without_a_secret(self, secret: Any) -> None:
        """A callable that has none is a mistake to see, not an unauthorized delivery."""
        hooks = Webhooks(lambda: secret)
        with pytest.raises(ConfigurationError):
            hooks.handle(*signed(sale()))

    def test_what_a_callable_raises(self) -> None:
        """An error of the callable reaches the framework: Dub sends the event again."""

        def unreachable() -> str:
            raise ConnectionError("the vault is away")

        with pytest.raises(ConnectionError):
            Webhooks(unreachable).handle(*signed(sale()))


class TestKeys:
    """What deliveries are claimed under."""

    def test_namespaces_are_apart(self) -> None:
        """Two receivers on one store, in two namespaces, both handle an event."""
        store = InlineStore()
        outcomes = []
        for namespace in ("shop", "crm", "shop"):
            hooks = Webhooks(SECRET, store=store, namespace=namespace)
            hooks.on(SaleCreated)(lambda _: None)
            outcomes.append(hooks.handle(*signed(sale(id="evt_1"))).outcome)
        assert outcomes == ["handled", "handled", "conflict"]
        assert store.calls[0] == "claim shop:evt_1"

    def test_ids_that_differ_in_case(self) -> None:
        """Ids are case-sensitive."""
        hooks = Webhooks(SECRET, store=MemoryStore())
        hooks.on(SaleCreated)(lambda _: None)
        outcomes = [hooks.handle(*signed(sale(id=it))).outcome for it in ("evt_a", "evt_A")]
        assert outcomes == ["handled", "handled"]

    @pytest.mark.parametrize(
        "odd", ["a b", "é", "a\x00b", "a:b", "x" * 129, "a\n", "\U0001f680", "'; --", "x" * 10_000]
    )
    def test_odd_ids(self, odd: str) -> None:
        """An odd or long id is hashed, so that every store can hold its key."""
        key = event_key("n" * 64, odd)
        assert key.isascii()
        assert len(key) <= 200
        assert key == f"{'n' * 64}:sha256:{fingerprint(odd.encode())}"
        hooks = Webhooks(SECRET, store=MemoryStore())
        hooks.on(SaleCreated)(lambda _: None)
        request = signed(sale(id=odd))
        assert [hooks.handle(*request).outcome for _ in range(2)] == ["handled", "duplicate"]

    def test_keys_do_not_collide(self) -> None:
        """No event id and no natural key gives the key of another one."""
        keys = {
            event_key("n", "webhook"),
            event_key("n", "webhook:x"),
            event_key("n.webhook", "x"),
            natural_key("n", "webhook", "x"),
            natural_key("n", "postback", "x"),
            natural_key("n", "webhook", "payout:x"),
            natural_key("n.webhook", "x", "x"),
        }
        assert len(keys) == 7


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

    @pytest.mark.parametrize("body", ["{}", {"id": 1}, None])
    def test_a_body_that_is_no_bytes(self, body: Any) -> None:
        """A parsed or decoded body is the developer's mistake, not the sender's."""
        hooks = Webhooks(SECRET)
        for method in (hooks.unwrap, hooks.handle):
            with pytest.raises(ConfigurationError, match="raw request bytes"):
                method(body, {})

    @pytest.mark.parametrize("headers", [None, 5, "Dub-Signature: x", [("a",)], {5: "a"}])
    def test_headers_that_are_none(self, headers: Any) -> None:
        """Headers that are neither a mapping nor pairs are the developer's mistake."""
        hooks = Webhooks(SECRET)
        for method in (hooks.unwrap, hooks.handle):
            with pytest.raises(ConfigurationError, match="headers must be"):
                method(b"{}", headers)

    def test_warm_up(self) -> None:
        """Warming a receiver up changes nothing but the time of its first delivery."""
        hooks = Webhooks(SECRET)
        hooks.warm_up()
        assert hooks.handle(*signed(sale())).status == 200
        assert hooks.max_body == 1_048_576
