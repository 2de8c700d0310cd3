"""The receiver: bytes → verify → event → claim → handler → reply.

It knows no framework.  An adapter reads the body, calls :meth:`Receiver.handle`
or :meth:`Receiver.ahandle`, and sends the reply.  An adapter that runs code of
its own between verification and handling calls the two halves, ``admit`` and
``run``.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import partial
from hashlib import sha256
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from .._headers import EnvironHeaders, items_of, pairs_of, signature_in
from ..errors import (
    BodyTooLarge,
    ConfigurationError,
    EventTooOld,
    InvalidEvent,
    PayloadError,
    VerificationError,
)
from ..events._base import Event
from ..idempotency import Ending, Job, is_async_store, judged, lifecycle
from ..idempotency._drivers import (
    Step,
    answered,
    drive,
    drive_async,
    in_thread,
    is_on_event_loop,
    taken,
)
from ..idempotency._keys import event_key, natural_key, told_key
from ..reply import Reply, refusal, reply_to
from ..signature import body_empty, keys_of, raw_body, verify_with
from ._delivery import (
    Delivery,
    Refused,
    Served,
    outcome_without_handler,
    pays_out,
    status_in,
)
from ._registry import Registry, checked_dedupe, classes_of
from ._reporting import Reporter, logger
from ._settings import DEFAULT_RETENTION, UNSET, Unset, checked_settings

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterable

    from .._headers import Headers, Items
    from ..dead_letters import DeadLetters
    from ..events._family import Family
    from ..idempotency import AsyncStore, Store
    from ..idempotency._drivers import Steps
    from ..reply import Refusal
    from ..signature import Secret
    from ._registry import Dedupe
    from ._settings import Observer

__all__ = ["Receiver", "route_events"]

EventT = TypeVar("EventT", bound=Event)


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
        observers: Iterable[Observer] = (),
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
        self._settings = checked_settings(
            store, namespace, lease, retention, max_age, max_body, dead_letters, observers
        )
        self._needs_loop = store is not None and is_async_store(store)
        self._registry = Registry(self.family)
        self._reporter = Reporter(self._settings.observers)

    def __repr__(self) -> str:
        settings = self._settings
        return f"<{type(self).__name__} namespace={settings.namespace!r} store={settings.store!r}>"

    @property
    def max_body(self) -> int:
        """The largest body in bytes; adapters stop reading beyond it."""
        return self._settings.max_body

    @property
    def store(self) -> Store | AsyncStore | None:
        """Where claims live."""
        return self._settings.store

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
        return self._unwrapped(raw_body(body), items_of(headers))

    def handle(self, body: bytes, headers: Headers) -> Reply:
        """Take a delivery through the whole pipeline and return what to answer.

        Async handlers are run to their end on an event loop of their own.

        Raises:
            ConfigurationError: the receiver cannot work here, for example
                because it is called on an event loop (use ``ahandle``).
            Exception: what the handler raised, after its claim was released, so
                that the framework's error reporting sees it.
        """
        opened = self._opened(body, headers)
        if isinstance(opened, Refused):
            return drive(self._refused(opened))
        return self.run(opened, self.registered(opened)).reply

    async def ahandle(self, body: bytes, headers: Headers) -> Reply:
        """Do what :meth:`handle` does, without blocking the event loop.

        A sync handler runs in a worker thread.
        """
        opened = self._opened(body, headers)
        if isinstance(opened, Refused):
            return await drive_async(self._refused(opened))
        return (await self.arun(opened, self.registered(opened))).reply

    def _on(self, events: tuple[object, ...], dedupe: Dedupe) -> Callable[[Any], Any]:
        classes_of(self.family, events)
        checked_dedupe(dedupe, has_store=self._settings.store is not None)

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
        opened = self._opened(body, headers)
        return opened if isinstance(opened, Delivery) else drive(self._refused(opened))

    async def aadmit(self, body: bytes, headers: Headers) -> Delivery[EventT] | Reply:
        """Do what :meth:`admit` does; dead letters are written in a thread."""
        opened = self._opened(body, headers)
        return opened if isinstance(opened, Delivery) else await drive_async(self._refused(opened))

    def refuse(self, error: Refusal) -> Reply:
        """Return the reply to a request that is refused before its body is there."""
        return self._reporter.refused(refusal(error), error, perf_counter())

    def registered(self, delivery: Delivery[EventT]) -> Job | None:
        """Return the job of the registered handler, or ``None`` when there is none."""
        event = delivery.event
        handler = self._registry.find(event)
        if handler is not None:
            keys = self._keys_of(event, handler.dedupe)
            call = partial(handler.function, event)
            return self._job(delivery, call, handler.is_async, keys, status_in)
        told = self._registry.unhandled
        if told is None:
            return None
        # Under keys of its own: telling is not handling, and must not keep a handler from it.
        keys = tuple(map(told_key, self._keys_of(event, told.dedupe)))
        job = self._job(delivery, partial(told.function, event), told.is_async, keys, status_in)
        return job._replace(outcome=outcome_without_handler(event))

    def route(
        self,
        delivery: Delivery[EventT],
        call: Callable[[], Any],
        *,
        is_async: bool,
        events: tuple[type[Event], ...],
        status_of: Callable[[Any], int],
        dedupe: Dedupe = "id",
    ) -> Job | None:
        """Return the job of a route's own handler, or ``None`` when it is not for this event.

        Without ``events`` a route takes every event but those that a payout
        hangs on: only naming ``PayoutConfirmed`` takes one.
        """
        event = delivery.event
        takes = type(event) in events if events else not pays_out(event)
        if not takes:
            return None
        return self._job(delivery, call, is_async, self._keys_of(event, dedupe), status_of)

    def run(self, delivery: Delivery[EventT], job: Job | None) -> Served:
        """Run a job once and return what to answer; ``None`` answers that nobody takes it.

        Raises:
            ConfigurationError: the store or the handler needs an event loop.
            BaseException: what the handler raised.
        """
        if self._needs_loop and job is not None:
            raise ConfigurationError(
                f"{type(self._settings.store).__name__} needs an event loop: use ahandle or an "
                "ASGI adapter, or the sync store of the same engine"
            )
        if job is not None and job.is_async and is_on_event_loop():
            raise ConfigurationError(
                "handle() cannot run an async handler on a running event loop: await ahandle()"
            )
        return self._run(delivery, job)

    async def arun(self, delivery: Delivery[EventT], job: Job | None) -> Served:
        """Do what :meth:`run` does, without blocking the event loop.

        A sync handler and its claims run in one worker thread: that thread goes
        on when the task is cancelled, and settles its claim itself.
        """
        if job is None:
            return self._run(delivery, job)
        if not (job.is_async or self._needs_loop):
            return await in_thread(lambda loop: self._run(delivery, job, loop))
        if self._settings.store is None:
            return self._served(delivery, judged(job, await answered(job.call))[0])
        return await drive_async(self._claimed(delivery, job, self._settings.store))

    # -- inside ---------------------------------------------------------------------------------

    def _unwrapped(self, body: bytes, headers: Items) -> EventT:
        signature = signature_in(headers)
        settings = self._settings
        if len(body) > settings.max_body:
            raise BodyTooLarge(f"the body has more than max_body={settings.max_body} bytes")
        if not body:
            raise body_empty()
        verify_with(self._keys or keys_of(self._secret), body, signature)
        event: EventT = self.family.parse(body)
        max_age = settings.max_age
        if max_age is not None and datetime.now(timezone.utc) - event.created_at > max_age:
            message = "the event is older than max_age: it is a replay, not a retry"
            raise EventTooOld(message, event.event, event.id)
        return event

    def _opened(self, body: bytes, headers: Headers) -> Delivery[EventT] | Refused:
        started = perf_counter()
        body = raw_body(body)
        items = headers if isinstance(headers, EnvironHeaders) else items_of(headers)
        try:
            return Delivery(self._unwrapped(body, items), body, started)
        except (VerificationError, PayloadError) as error:
            return Refused(error, body, items, started)

    def _refused(self, refused: Refused) -> Steps[Reply]:
        error = refused.error
        reply = refusal(error)
        if isinstance(error, InvalidEvent) and (yield from self._kept(refused, error)):
            status = 501 if error.payout_like else 200
            reply = reply_to("invalid", error.event_id, status=status, code=error.code)
        return self._reporter.refused(reply, error, refused.started)

    def _kept(self, refused: Refused, error: InvalidEvent) -> Steps[bool]:
        dead_letters = self._settings.dead_letters
        if dead_letters is None:
            return False
        kept = yield Step(
            lambda: dead_letters.keep(refused.body, dict(pairs_of(refused.headers)), error),
            "thread",
        )
        if isinstance(kept.error, Exception):
            logger.error("the dead letter could not be kept: %s", type(kept.error).__qualname__)
        elif kept.error is not None:
            raise kept.error
        return kept.error is None

    def _job(
        self,
        delivery: Delivery[EventT],
        call: Callable[[], Any],
        is_async: bool,
        keys: tuple[str, ...],
        status_of: Callable[[Any], int],
    ) -> Job:
        if not keys:
            return Job(call, is_async, keys, "", status_of)
        fingerprint = sha256(delivery.body).hexdigest()
        is_payout = pays_out(delivery.event)
        return Job(call, is_async, keys, fingerprint, status_of, is_payout=is_payout)

    def _keys_of(self, event: Event, dedupe: Dedupe) -> tuple[str, ...]:
        if self._settings.store is None:
            return ()
        key = event_key(self._settings.namespace, event.id)
        natural = event.natural_key if dedupe == "natural" else None
        if natural is None:
            return (key,)
        return key, natural_key(self._settings.namespace, self.family.name, natural)

    def _run(
        self, delivery: Delivery[EventT], job: Job | None, loop: AbstractEventLoop | None = None
    ) -> Served:
        if job is None:
            return self._served(delivery, Ending(outcome_without_handler(delivery.event)))
        if self._settings.store is None:
            return self._served(delivery, judged(job, taken(job.call, loop))[0])
        return drive(self._claimed(delivery, job, self._settings.store), loop)

    def _claimed(
        self, delivery: Delivery[EventT], job: Job, store: Store | AsyncStore
    ) -> Steps[Served]:
        lease, retention = self._settings.lease, self._settings.retention
        ending = yield from lifecycle(store, job, lease=lease, retention=retention)
        return self._served(delivery, ending)

    def _served(self, delivery: Delivery[EventT], ending: Ending) -> Served:
        event = delivery.event
        reply = reply_to(
            ending.outcome, event.id, status=ending.status, retry_after=ending.retry_after
        )
        self._reporter.ended(reply, event, ending, delivery.started)
        if isinstance(ending.error, StopIteration):
            # No future and no coroutine can pass it on, so Python makes this of it (PEP 479).
            raise RuntimeError("the handler raised StopIteration") from ending.error
        if ending.error is not None:
            raise ending.error
        return Served(reply, ending.result)


def route_events(
    hooks: object, events: tuple[object, ...], dedupe: Dedupe = "id"
) -> tuple[type[Event], ...]:
    """Return the event classes that a route names; none means every event.

    Raises:
        ConfigurationError: there is no receiver, an event is not one of its
            family, or it cannot be deduplicated like this.
    """
    if not isinstance(hooks, Receiver):
        raise ConfigurationError(
            "the receiver comes first: @webhook(hooks, SaleCreated), "
            "with hooks = dubhooks.Webhooks(secret)"
        )
    checked_dedupe(dedupe, has_store=hooks.store is not None)
    return classes_of(hooks.family, events) if events else ()
