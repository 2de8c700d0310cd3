"""The replies to deliveries that never become an event: none is run, none is claimed."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dubhooks import DeadLetterDirectory, DeliveryRecord, Reply, Webhooks, sign
from dubhooks.testing import make_event, make_unknown_event
from dubhooks.webhooks import PayoutConfirmed, SaleCreated
from tests.support.receiving import SECRET, ThreadStore, changed, errors, reply, sale, signed, unfit

Log = pytest.LogCaptureFixture
Handle = Callable[[Webhooks, tuple[bytes, Any]], Reply]

pytestmark = pytest.mark.usefixtures("discreet")

WAYS: dict[str, Handle] = {
    "handle": lambda hooks, request: hooks.handle(*request),
    "ahandle": lambda hooks, request: asyncio.run(hooks.ahandle(*request)),
}
NOW = datetime.now(timezone.utc)
SALE = sale(id="evt_1")
BODY = SALE.to_json()
SIGNATURE = sign(BODY, SECRET)
OLD = changed(SALE, createdAt=(NOW - timedelta(days=31)).isoformat())
FUTURE = changed(SALE, createdAt=(NOW + timedelta(days=2)).isoformat())


@pytest.fixture(params=WAYS.values(), ids=list(WAYS))
def handle(request: pytest.FixtureRequest) -> Handle:
    """Return either way to deliver."""
    return request.param  # type: ignore[no-any-return]


class Letters:
    """Dead letters that cannot be kept."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def keep(self, body: object, headers: object, error: object) -> None:  # noqa: ARG002
        """Fail."""
        raise self.error


REFUSED: dict[str, tuple[Any, Reply]] = {
    "missing": ((BODY, {}), reply(401, "unauthorized", None, "signature_missing")),
    "malformed": (
        (BODY, {"Dub-Signature": f"sha256={SIGNATURE}"}),
        reply(401, "unauthorized", None, "signature_malformed"),
    ),
    "twice": (
        (BODY, [("dub-signature", SIGNATURE), ("X-Dub-Signature", SIGNATURE)]),
        reply(401, "unauthorized", None, "signature_malformed"),
    ),
    "mismatch": (
        (BODY, {"Dub-Signature": sign(BODY, "whsec_marker_other")}),
        reply(401, "unauthorized", None, "signature_mismatch"),
    ),
    "not json": (signed(b'{"id": "marker'), reply(400, "malformed", None, "invalid_json")),
    "no envelope": (signed(b'["marker"]'), reply(400, "malformed", None, "invalid_envelope")),
    "empty": (signed(b""), reply(400, "malformed", None, "body_empty")),
    "too large": (
        (b"marker" * 3000, {"Dub-Signature": "00" * 32}),
        reply(413, "too_large", None, "body_too_large", Connection="close"),
    ),
    "gzip": (
        (BODY, {"Dub-Signature": SIGNATURE, "content-encoding": "gzip"}),
        reply(415, "compressed", None, "body_compressed"),
    ),
    "too old": (signed(OLD), reply(400, "malformed", "evt_1", "event_too_old")),
    "from tomorrow": (signed(FUTURE), reply(400, "malformed", "evt_1", "event_from_future")),
    "invalid": (signed(unfit(SALE)), reply(422, "invalid", "evt_1", "invalid_event")),
}


@pytest.mark.parametrize(("request_", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(handle: Handle, request_: Any, expected: Reply) -> None:
    """A delivery that cannot be used has its own reply, runs nothing and claims nothing."""
    store, ran, records = ThreadStore(), list[Any](), list[DeliveryRecord]()
    hooks = Webhooks(SECRET, store=store, max_body=16_000, observers=[records.append])
    hooks.on(SaleCreated)(ran.append)
    hooks.on_unhandled(ran.append)
    assert handle(hooks, request_) == expected
    assert not ran
    assert store.calls == []
    [record] = records
    assert (record.outcome, record.status) == (expected.outcome, expected.status)
    assert record.event_id == expected.event_id
    assert record.event_name == ("sale.created" if expected.event_id else None)
    assert f'"code":"{record.error_code}"'.encode() in expected.body
    assert (record.handler, record.attempt, record.age) == (None, None, None)


class TestDeadLetters:
    """Known events that do not fit their model."""

    PAYOUTS = (
        changed(make_event(PayoutConfirmed, id="evt_1"), data={"id": "po_1"}),
        changed(
            make_event(PayoutConfirmed, id="evt_1", event="external_payout.confirmed"), data=None
        ),
        changed(SALE, data={"id": "po_1"}),
    )

    @pytest.mark.parametrize("body", PAYOUTS, ids=["payout", "external_payout", "by its data"])
    def test_a_payout(self, handle: Handle, body: bytes, tmp_path: Any) -> None:
        """An invalid payout is kept as well, and answered 501 all the same; without letters 422."""
        hooks = Webhooks(SECRET, dead_letters=DeadLetterDirectory(tmp_path))
        hooks.on(PayoutConfirmed)(lambda _: pytest.fail("it ran"))
        assert handle(hooks, signed(body)) == reply(501, "invalid", "evt_1", "invalid_event")
        [letter] = tmp_path.glob("*.body")
        assert letter.read_bytes() == body
        refused = reply(422, "invalid", "evt_1", "invalid_event")
        assert handle(Webhooks(SECRET), signed(body)) == refused

    def test_headers_that_can_be_read_once(self, handle: Handle, tmp_path: Any) -> None:
        """A letter has its signature even when the headers were an iterator."""
        hooks = Webhooks(SECRET, dead_letters=DeadLetterDirectory(tmp_path))
        body, headers = signed(unfit(SALE))
        assert handle(hooks, (body, iter(headers.items()))).status == 200
        [letter] = tmp_path.glob("*.json")
        assert headers["Dub-Signature"] in letter.read_text()

    @pytest.mark.parametrize("error", [OSError("/home/marker"), StopIteration(), ValueError()])
    def test_a_letter_that_is_not_kept(
        self, handle: Handle, error: Exception, discreet: Log
    ) -> None:
        """An event whose letter could not be kept is refused, so that Dub sends it again."""
        hooks = Webhooks(SECRET, dead_letters=Letters(error))
        answer = handle(hooks, signed(unfit(SALE)))
        assert answer == reply(422, "invalid", "evt_1", "invalid_event")
        first, second = errors(discreet)
        assert first == f"the dead letter could not be kept: {type(error).__name__}"
        assert second.startswith("refused a delivery of event 'evt_1'")

    def test_stopped_while_keeping_a_letter(self) -> None:
        """What tells the process to stop is not taken for a letter that could not be kept."""
        hooks = Webhooks(SECRET, dead_letters=Letters(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            hooks.handle(*signed(unfit(SALE)))

    @pytest.mark.parametrize(
        "body",
        [b"marker", signed(b"[]")[0], make_unknown_event("a").to_json()],
        ids=["no JSON", "no envelope", "unknown event"],
    )
    def test_what_is_no_letter(self, handle: Handle, body: bytes) -> None:
        """Only known events that do not fit are kept, and only when Dub has signed them."""
        hooks = Webhooks(SECRET, dead_letters=Letters(AssertionError("it was kept")))
        handle(hooks, signed(body))
        handle(hooks, (unfit(SALE), {}))
