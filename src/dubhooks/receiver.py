"""The receiver: bytes → verify → event → claim → handler → reply.

It knows no framework.  An adapter reads the body, calls :meth:`Receiver.handle`
or :meth:`Receiver.ahandle`, and sends the reply.  An adapter that runs code of
its own between verification and handling calls the two halves, ``admit`` and
``run``.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from ._headers import pairs_of, signature_in
from ._keys import event_key, natural_key
from ._registry import Registry, classes_of
from ._settings import DEFAULT_RETENTION, UNSET, Unset, checked_settings
from .errors import (
    BodyTooLarge,
    ConfigurationError,
    DubhooksError,
    EventTooOld,
    InvalidEvent,
    PayloadError,
    VerificationError,
)
from .events._base import Event
from .idempotency import (
    Ending,
    Job,
    Step,
    drive,
    drive_async,
    is_async_store,
    lifecycle,
)
from .payload import is_payout_like
from .reply import DeliveryRecord, Reply, refusal, reply_to
from .signature import keys_of, not_empty, raw_body, verify_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ._headers import Headers
    from ._registry import Dedupe, Handler
    from .dead_letters import DeadLetters
    from .events._family import Family
    from .idempotency import AsyncStore, Steps, Store
    from .reply import Outcome
    from .signature import Secret

__all__ = ["Delivery", "Receiver", "Served"]

logger = logging.getLogger("dubhooks")

EventT = TypeVar("EventT", bound=Event)


@dataclass(frozen=True)
class Delivery(Generic[EventT]):
    """A verified delivery and its typed event."""

    event: EventT
    body: bytes
    """The raw body."""
    started: float
    """``perf_counter()`` when the body was there."""

    def __repr__(self) -> str:
        return f"<Delivery of {self.event!r}>"


@dataclass(frozen=True)
class Served:
    """A delivery that was run: the reply, and the handler's own response to send instead."""

    reply: Reply
    response: Any = None


class Receiver(Generic[EventT]):
    """What :class:`~dubhooks.Webhooks` and :class:`~dubhooks.Postbacks` share."""

    family: ClassVar[Family[Any]]

    def __init__(
        self,
        secret: Secret,
        *,
        store: Store | AsyncStore | None = None,
        namespace: str = "default",
        lease: float = 60.0,
        retention: timedelta = DEFAULT_RETENTION,
        max_age: timedelta | Unset | None = UNSET,
        max_body: int = 1_048_576,
        dead_letters: DeadLetters | None = None,
        observers: Iterable[Callable[[DeliveryRecord], object]] = (),
    ) -> None:
        """Set a receiver up.

        ``secret``: the signing secret, several of them (any may match, so that
        one can be rotated), or a callable that returns either, asked for every
        delivery.  ``store``: where claims live; without one nothing is
        deduplicated.  ``namespace``: keeps receivers that share a store apart.
        ``lease``: seconds after which another delivery may take an event over;
        longer than the slowest handler.  ``retention``: how long a done event
        is remembered; retries can span 15 days.  ``max_age``: refuse events
        built longer ago; by default ``retention`` when there is a store, so
        that a replay is either a duplicate or too old.  ``max_body``: bytes.
        ``dead_letters``: keeps known events that do not fit their model.
        ``observers``: called with one record per delivery.

        Raises:
            ConfigurationError: an argument cannot work.
        """
        self._secret = secret
        # A callable is asked for every delivery; anything else is checked here and now.
        self._keys = None if callable(secret) else keys_of(secret)
        self._settings = checked_settings(store, namespace, lease, retention, max_age, max_body)
        self._dead_letters = dead_letters
        self._observers = tuple(observers)
        self._registry = Registry(self.family)

    def __repr__(self) -> str:
        settings = self._settings
        return f"<{type(self).__name__} namespace={settings.namespace!r} store={settings.store!r}>"

    @property
    def max_body(self) -> int:
        """The largest body in bytes; adapters stop reading beyond it."""
        return self._settings.max_body

    def warm_up(self) -> None:
        """Build the parser now (some 20 ms) instead of with the first delivery."""
        self.family.warm_up()

    def unwrap(self, body: bytes, headers: Headers) -> EventT:
        """Verify and parse a delivery; no handler runs and nothing is claimed.

        Raises:
            VerificationError: it is not from Dub.
            PayloadError: it is, but holds no event that can be used.
            ConfigurationError: the body is not bytes, or the secret is unusable.
        """
        pairs = pairs_of(headers)
        body = raw_body(body)
        signature = signature_in(pairs)
        if len(body) > self.max_body:
            raise BodyTooLarge(f"the body has more than max_body={self.max_body} bytes")
        not_empty(body)
        verify_with(self._keys or keys_of(self._secret), body, signature)
        event: EventT = self.family.parse(body)
        if (
            self._settings.max_age is not None
            and datetime.now(timezone.utc) - event.created_at > self._settings.max_age
        ):
            raise EventTooOld("the event is older than max_age: it is a replay, not a retry")
        return event

    def handle(self, body: bytes, headers: Headers) -> Reply:
        """Take a delivery through the whole pipeline and return what to answer.

        Async handlers are run to their end on an event loop of their own.

        Raises:
            ConfigurationError: the receiver cannot work here, for example
                because it is called on an event loop (use ``ahandle``).
            Exception: what the handler raised, after its claim was released, so
                that the framework's error reporting sees it.
        """
        delivery = self.admit(body, headers)
        if isinstance(delivery, Reply):
            return delivery
        return self.run(delivery, self._registered(delivery)).reply

    async def ahandle(self, body: bytes, headers: Headers) -> Reply:
        """Do what :meth:`handle` does, without blocking the event loop.

        A sync handler runs in a worker thread.
        """
        delivery = await self.aadmit(body, headers)
        if isinstance(delivery, Reply):
            return delivery
        return (await self.arun(delivery, self._registered(delivery))).reply

    def _on(self, events: tuple[object, ...], dedupe: Dedupe) -> Callable[[Any], Any]:
        classes_of(self.family, events)

        def register(function: Any) -> Any:
            self._registry.add(events, function, dedupe)
            return function

        return register

    def _on_unhandled(self) -> Callable[[Any], Any]:
        def register(function: Any) -> Any:
            self._registry.add_unhandled(function)
            return function

        return register

    # -- for adapters ---------------------------------------------------------------------------

    def admit(self, body: bytes, headers: Headers) -> Delivery[EventT] | Reply:
        """Verify and parse; return the delivery, or the reply that refuses it."""
        return drive(self._admitted(body, headers))

    async def aadmit(self, body: bytes, headers: Headers) -> Delivery[EventT] | Reply:
        """Do what :meth:`admit` does; dead letters are written in a thread."""
        return await drive_async(self._admitted(body, headers))

    def refuse(self, error: DubhooksError) -> Reply:
        """Return the reply to a request that is refused before its body is there."""
        return self._told(refusal(error), None, None, error.code, perf_counter())

    def route(
        self,
        delivery: Delivery[EventT],
        call: Callable[[], Any],
        *,
        is_async: bool,
        events: tuple[type[Event], ...],
        status_of: Callable[[Any], int],
    ) -> Job | None:
        """Return the job of a route's own handler, or ``None`` when it is not for this event.

        Without ``events`` a route takes every event but those that a payout
        hangs on: only naming ``PayoutConfirmed`` takes one.
        """
        event = delivery.event
        takes = type(event) in events if events else not _is_payout_like(event)
        if not takes:
            return None
        return Job(
            call=call,
            is_async=is_async,
            keys=self._keys_of(event, with_natural=False),
            fingerprint=self._fingerprint(delivery),
            status_of=status_of,
        )

    def run(self, delivery: Delivery[EventT], job: Job | None) -> Served:
        """Run a job once and return what to answer; ``None`` answers that nobody takes it.

        Raises:
            ConfigurationError: the store or the handler needs an event loop.
            BaseException: what the handler raised.
        """
        if job is None:
            return self._served(delivery, Ending(_outcome_without_handler(delivery.event)))
        self._refuse_async(job)
        return self._served(delivery, drive(self._lifecycle(job)))

    async def arun(self, delivery: Delivery[EventT], job: Job | None) -> Served:
        """Do what :meth:`run` does, without blocking the event loop.

        A sync handler and its claims run in one worker thread: that thread goes
        on when the task is cancelled, and settles its claim itself.
        """
        if job is None:
            return self.run(delivery, job)
        if not job.is_async and (
            self._settings.store is None or not is_async_store(self._settings.store)
        ):
            return await asyncio.to_thread(self.run, delivery, job)
        return self._served(delivery, await drive_async(self._lifecycle(job)))

    # -- inside ---------------------------------------------------------------------------------

    def _admitted(self, body: bytes, headers: Headers) -> Steps[Delivery[EventT] | Reply]:
        self._registry.close()
        started = perf_counter()
        try:
            return Delivery(self.unwrap(body, headers), raw_body(body), started)
        except (VerificationError, PayloadError) as error:
            refused = error
        reply = refusal(refused)
        if not isinstance(refused, InvalidEvent):
            logger.warning("refused a delivery (%s): %s", refused.code, refused)
            return self._told(reply, None, None, refused.code, started)
        logger.error("refused a delivery of event %.64r: %s", refused.event_id, refused)
        if self._dead_letters is not None:
            keep = self._dead_letters.keep
            letter = (raw_body(body), dict(pairs_of(headers)), refused)
            kept = yield Step(lambda: keep(*letter), "thread")
            reply = self._reply_to_kept(kept.error, refused, reply)
        return self._told(reply, refused.event_name, None, refused.code, started)

    def _reply_to_kept(
        self, error: BaseException | None, refused: InvalidEvent, reply: Reply
    ) -> Reply:
        if error is None:
            status = 501 if refused.payout_like else 200
            return reply_to("invalid", refused.event_id, status=status, code=refused.code)
        if not isinstance(error, Exception):
            raise error
        logger.error("the dead letter could not be kept: %s", type(error).__qualname__)
        return reply

    def _registered(self, delivery: Delivery[EventT]) -> Job | None:
        event = delivery.event
        handler = self._registry.find(event)
        if handler is not None:
            return self._job(delivery, handler, "handled")
        if self._registry.unhandled is not None:
            return self._job(delivery, self._registry.unhandled, _outcome_without_handler(event))
        return None

    def _job(self, delivery: Delivery[EventT], handler: Handler, outcome: Outcome) -> Job:
        return Job(
            call=lambda: handler.function(delivery.event),
            is_async=handler.is_async,
            keys=self._keys_of(delivery.event, with_natural=handler.dedupe == "natural"),
            fingerprint=self._fingerprint(delivery),
            outcome=outcome,
            status_of=_status_in,
        )

    def _keys_of(self, event: Event, *, with_natural: bool) -> tuple[str, ...]:
        key = event_key(self._settings.namespace, event.id)
        natural = event.natural_key if with_natural else None
        if natural is None:
            return (key,)
        return key, natural_key(self._settings.namespace, self.family.name, natural)

    def _fingerprint(self, delivery: Delivery[EventT]) -> str:
        return sha256(delivery.body).hexdigest() if self._settings.store is not None else ""

    def _lifecycle(self, job: Job) -> Steps[Ending]:
        settings = self._settings
        return lifecycle(settings.store, job, lease=settings.lease, retention=settings.retention)

    def _refuse_async(self, job: Job) -> None:
        store = self._settings.store
        if store is not None and is_async_store(store):
            raise ConfigurationError(
                f"{type(store).__name__} needs an event loop: use ahandle or an ASGI adapter, or "
                "the sync store of the same engine"
            )
        if job.is_async and _is_on_event_loop():
            raise ConfigurationError(
                "handle() cannot run an async handler on a running event loop: await ahandle()"
            )

    def _served(self, delivery: Delivery[EventT], ending: Ending) -> Served:
        event = delivery.event
        reply = reply_to(
            ending.outcome, event.id, status=ending.status, retry_after=ending.retry_after
        )
        if ending.outcome in _LOGGED:
            logger.error(_LOGGED[ending.outcome], event.event, event.id)
        code = getattr(ending.error, "code", None)
        self._told(reply, event.event, ending.attempt, code, delivery.started)
        if ending.error is not None:
            raise ending.error
        return Served(reply, ending.result)

    def _told(
        self,
        reply: Reply,
        event_name: str | None,
        attempt: int | None,
        code: str | None,
        started: float,
    ) -> Reply:
        seconds = perf_counter() - started
        record = DeliveryRecord(
            reply.outcome, reply.status, event_name, reply.event_id, attempt, seconds, code
        )
        for observer in self._observers:
            try:
                observer(record)
            except Exception as error:  # noqa: BLE001 - watching must not change the answer
                logger.error("an observer failed: %s", type(error).__qualname__)
        return reply


_LOGGED: Final = {
    "conflict": "event %.64s %.64r came again with another body and was not handled",
    "unhandled_payout": (
        "event %.64s %.64r may be a payout and no handler took it: register one for "
        "PayoutConfirmed, because Dub marks the payout as failed when the retries run out"
    ),
}


def _is_payout_like(event: Event) -> bool:
    return is_payout_like(event.event, event.data)


def _outcome_without_handler(event: Event) -> Outcome:
    return "unhandled_payout" if _is_payout_like(event) else "ignored"


def _status_in(result: object) -> int:
    # A registered handler returns nothing; a framework's response returned by mistake still
    # counts, because a 500 in it must not become a 200.
    status = getattr(result, "status_code", getattr(result, "status", 200))
    return status if isinstance(status, int) else 200


def _is_on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
