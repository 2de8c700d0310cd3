"""The replies to deliveries that never become an event: none is run, none is claimed."""

import json
import logging
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dubhooks import DeadLetterDirectory, DeliveryRecord, Webhooks, sign
from dubhooks.errors import BodyTooLarge, BodyTooSlow, MethodNotAllowed
from dubhooks.webhooks import SaleCreated
from tests.support.receiving import (
    SECRET,
    World,
    check_record,
    errors,
    reply,
    rows_of,
    sale,
    signed,
    unfit,
)

Log = pytest.LogCaptureFixture

pytestmark = pytest.mark.usefixtures("discreet")


class TestRefused:
    """Deliveries that never become an event."""

    def request(self, kind: str) -> tuple[bytes, Any]:
        """Return a request that is refused."""
        event = sale()
        body = event.to_json()
        signature = sign(body, SECRET)
        requests: dict[str, Any] = {
            "missing": (body, {}),
            "malformed": (body, {"Dub-Signature": f"sha256={signature}"}),
            "twice": (body, [("dub-signature", signature), ("X-Dub-Signature", signature)]),
            "mismatch": (body, {"Dub-Signature": sign(body, "whsec_marker_other")}),
            "not json": signed(b'{"id": "marker'),
            "no envelope": signed(b'["marker"]'),
            "empty": signed(b""),
            "large": (b"marker" * 3000, {"Dub-Signature": "00" * 32}),
            "gzip": (body, {"Dub-Signature": signature, "content-encoding": "gzip"}),
        }
        return requests[kind]

    @pytest.mark.parametrize(
        ("kind", "status", "outcome", "code"),
        [
            ("missing", 401, "unauthorized", "signature_missing"),
            ("malformed", 401, "unauthorized", "signature_malformed"),
            ("twice", 401, "unauthorized", "signature_malformed"),
            ("mismatch", 401, "unauthorized", "signature_mismatch"),
            ("not json", 400, "malformed", "invalid_json"),
            ("no envelope", 400, "malformed", "invalid_envelope"),
            ("empty", 400, "malformed", "body_empty"),
            ("large", 413, "too_large", "body_too_large"),
            ("gzip", 415, "compressed", "body_compressed"),
        ],
    )
    def test_refused(
        self, any_world: World, kind: str, status: int, outcome: str, code: str, discreet: Log
    ) -> None:
        """A delivery that cannot be used has its own answer, runs nothing and claims nothing."""
        hooks = any_world.receiver(max_body=16_000, max_age=timedelta(days=30))
        hooks.on(SaleCreated)(any_world.answering())
        hooks.on_unhandled(any_world.answering())
        answer = any_world.send(hooks, self.request(kind))
        expected = reply(status, outcome, None, code)
        if outcome == "too_large":
            expected.headers["Connection"] = "close"
        assert answer == expected
        assert any_world.runs == 0
        if any_world.store:
            assert rows_of(any_world.store).calls == []
        [record] = any_world.records
        check_record(record, answer, error_code=code)
        [logged] = discreet.records
        assert logged.levelno == logging.WARNING
        assert code in logged.getMessage()

    def test_too_old(self, any_world: World, discreet: Log) -> None:
        """An event that is too old is refused by name: somebody may look for it."""
        hooks = any_world.receiver(max_age=timedelta(days=30))
        hooks.on(SaleCreated)(any_world.answering())
        event = sale(created_at=datetime.now(timezone.utc) - timedelta(days=30, minutes=1))
        answer = any_world.send(hooks, signed(event))
        assert answer == reply(400, "malformed", event.id, "event_too_old")
        assert any_world.runs == 0
        [record] = any_world.records
        check_record(record, answer, error_code="event_too_old", event_name="sale.created")
        [logged] = discreet.records
        assert logged.levelno == logging.WARNING
        assert event.id in logged.getMessage()

    @pytest.mark.parametrize(
        ("error", "status", "outcome", "headers", "level"),
        [
            (MethodNotAllowed("no"), 405, "wrong_method", {"Allow": "POST"}, logging.INFO),
            (BodyTooLarge("no"), 413, "too_large", {"Connection": "close"}, logging.WARNING),
            (BodyTooSlow("no"), 408, "too_slow", {"Connection": "close"}, logging.WARNING),
        ],
        ids=["wrong_method", "too_large", "too_slow"],
    )
    def test_refused_by_an_adapter(
        self,
        error: Any,
        status: int,
        outcome: str,
        headers: dict[str, str],
        level: int,
        discreet: Log,
    ) -> None:
        """What an adapter refuses before the body is there is observed and logged like the rest."""
        records: list[DeliveryRecord] = []
        answer = Webhooks(SECRET, observers=[records.append]).refuse(error)
        assert answer == reply(status, outcome, None, error.code, **headers)
        check_record(records[0], answer, error_code=error.code)
        assert [record.levelno for record in discreet.records] == [level]

    def test_invalid_without_dead_letters(self, any_world: World, discreet: Log) -> None:
        """A known event that does not fit is answered 422 and logged with the paths of fields."""
        hooks = any_world.receiver()
        hooks.on(SaleCreated)(any_world.answering())
        event = sale()
        answer = any_world.send(hooks, signed(unfit(event)))
        assert answer == reply(422, "invalid", event.id, "invalid_event")
        assert any_world.runs == 0
        [message] = errors(discreet)
        assert event.id in message
        assert "data.sale.amount: int_type" in message
        check_record(
            any_world.records[0], answer, event_name="sale.created", error_code="invalid_event"
        )

    def test_invalid_with_dead_letters(self, any_world: World, tmp_path: Any) -> None:
        """A known event that does not fit is kept, and then answered 200."""
        hooks = any_world.receiver(dead_letters=DeadLetterDirectory(tmp_path / "letters"))
        event = sale()
        body, headers = signed(unfit(event))
        answer = any_world.send(hooks, (body, headers))
        assert answer == reply(200, "invalid", event.id, "invalid_event")
        [kept] = (tmp_path / "letters").glob("*.body")
        assert kept.read_bytes() == body
        letter = json.loads(kept.with_suffix(".json").read_bytes())
        assert letter["headers"]["dub-signature"] == headers["Dub-Signature"]
        assert any_world.records[0].status == 200

    def test_headers_that_can_be_read_once(self, tmp_path: Any) -> None:
        """A letter has its signature even when the headers were an iterator."""
        hooks = Webhooks(SECRET, dead_letters=DeadLetterDirectory(tmp_path))
        body, headers = signed(unfit(sale()))
        assert hooks.handle(body, iter(headers.items())).status == 200
        [letter] = tmp_path.glob("*.json")
        assert headers["Dub-Signature"] in letter.read_text()

    @pytest.mark.parametrize("error", [OSError("/home/marker"), StopIteration(), ValueError()])
    def test_a_letter_that_is_not_kept(
        self, any_world: World, error: Exception, discreet: Log
    ) -> None:
        """An event whose letter could not be kept is refused, so that Dub sends it again."""
        hooks = any_world.receiver(dead_letters=Letters(error))
        event = sale()
        answer = any_world.send(hooks, signed(unfit(event)))
        assert answer == reply(422, "invalid", event.id, "invalid_event")
        assert type(error).__name__ in errors(discreet)[0]

    def test_stopped_while_keeping_a_letter(self) -> None:
        """What tells the process to stop is not taken for a letter that could not be kept."""
        hooks = Webhooks(SECRET, dead_letters=Letters(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            hooks.handle(*signed(unfit(sale())))


class Letters:
    """Dead letters that cannot be kept."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def keep(self, *_: object) -> None:
        """Fail."""
        raise self.error
