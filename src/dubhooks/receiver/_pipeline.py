"""The pipeline of one receiver: bytes → verified → event → claim → handler → reply.

Adapters drive it: ``open`` a request, ``find`` the handler of the delivery, ``run`` it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, cast

from .. import errors
from .._headers import list_pairs
from ..errors import ConfigurationError, DubhooksError, InvalidEvent, PayloadError
from ..events._base import Event
from ..idempotency import _drivers as drivers
from ..idempotency import is_async_store
from ..idempotency._drivers import run_in_thread
from ..idempotency._keys import build_event_keys, build_fingerprints, build_unhandled_key
from ..idempotency._lifecycle import ClaimTerms, Ending, Job, run_claimed, run_handler
from ..idempotency._log import Log
from ..idempotency._renewal import RenewalThread
from ..reply import Reply, build_refusal, build_reply
from ..signature import body_empty_error, check_body, check_request
from ._registry import Registry, is_payout
from ._reporting import Reporter, build_log, measure_age

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from .._body import Request
    from ..events._family import Family
    from ..idempotency import Store
    from ..queues import Queue
    from ..reply import Outcome, Refusal
    from ..signature import Key, Keyring
    from ._registry import Handler, Route
    from ._settings import Settings

EventT = TypeVar("EventT", bound=Event)

_AHEAD = 86_400.0
"""Seconds that a clock may be behind Dub's before its events cannot be told from replays."""


class Delivery(NamedTuple):
    """A verified delivery: its typed event, whose ``repr`` shows no data."""

    event: Any
    started: float
    """``perf_counter()`` when the body was there."""
    request: Request
    """The bytes and the signature, for a queue."""


class Result(NamedTuple):
    """What running a delivery gave: our reply, or the handler's own response to send instead."""

    reply: Reply
    response: Any = None


class Pipeline(Generic[EventT]):
    """What a receiver does with a request, step by step."""

    def __init__(self, family: Family[EventT], keyring: Keyring, settings: Settings) -> None:
        self.family = family
        self.settings = settings
        self.log: Log = build_log(family.name, settings.namespace)
        self.registry: Registry = Registry(self.log)
        self.keyring = keyring
        self._reporter = Reporter(family.name, settings.namespace, settings.observers, self.log)
        self._terms: ClaimTerms | None = None
        store = settings.store
        self.needs_loop: bool = store is not None and is_async_store(store)
        """The store has coroutines, so claims are made on an event loop."""
        if store is not None:
            renewals = None if self.needs_loop else RenewalThread(cast("Store", store))
            self._terms = ClaimTerms(store, settings.lease, settings.retention, self.log, renewals)

    # -- bytes → verified → event -------------------------------------------------------------

    def unwrap(self, request: Request) -> EventT:
        """Return the verified event, or raise; see :meth:`Receiver.unwrap`."""
        event = self.read(request, self.keyring.keys(), self.settings.max_age)
        if isinstance(event, DubhooksError):
            raise event
        return event

    def open(self, request: Request) -> Delivery | Reply:
        """Verify and parse; return the delivery, or the reply that refuses it.

        Raises:
            ConfigurationError: the body is not bytes, or the headers are none.
        """
        started = perf_counter()
        opened = self._open(request, started)
        if isinstance(opened, DubhooksError):
            return self._refuse(opened, started, is_kept=self._keep(request, opened))
        return opened

    async def aopen(self, request: Request) -> Delivery | Reply:
        """Do what :meth:`open` does; dead letters are written in a thread."""
        started = perf_counter()
        opened = self._open(request, started)
        if not isinstance(opened, DubhooksError):
            return opened
        is_kept = False
        if isinstance(opened, InvalidEvent) and self.settings.dead_letters is not None:
            is_kept = await run_in_thread(lambda _: self._keep(request, opened), self.log)
        return self._refuse(opened, started, is_kept=is_kept)

    def refuse(self, error: Refusal) -> Reply:
        """Return the reply to a request that is refused before its body is there."""
        return self._refuse(error, perf_counter(), is_kept=False)

    def _open(self, request: Request, started: float) -> Delivery | Reply | Refusal:
        try:
            keys = self.keyring.keys()
        except Exception as error:  # noqa: BLE001 - somebody's callable may raise anything
            reply = build_reply("unavailable")
            self._reporter.report_missing_secret(reply, error, started)
            return reply
        event = self.read(request, keys, self.settings.max_age)
        if not isinstance(event, DubhooksError):
            return Delivery(event, started, request)
        if isinstance(event, ConfigurationError):
            raise event
        return event

    def read(
        self, request: Request, keys: tuple[Key, ...], max_age: float | None
    ) -> EventT | errors.VerificationError | PayloadError | ConfigurationError:
        """Return the verified event, or why there is none; ``max_age`` in seconds."""
        unusable = check_body(request)
        if unusable is not None:
            return unusable
        size, max_body = len(request.body), self.settings.max_body
        if size > max_body:
            return errors.BodyTooLarge(f"the body has more than max_body={max_body} bytes")
        if not size:
            return body_empty_error()
        error = check_request(keys, request)
        if error is not None:
            return error
        event = self.family.read(request.body)
        if isinstance(event, PayloadError):
            return event
        return event if max_age is None else _check_age(event, max_age) or event

    def _refuse(self, error: Refusal, started: float, *, is_kept: bool) -> Reply:
        reply = build_refusal(error)
        if is_kept and isinstance(error, InvalidEvent):
            status = 501 if error.payout_like else 200
            reply = build_reply("invalid", error.event_id, status=status, code=error.code)
        self._reporter.report_refusal(reply, error, started, is_kept=is_kept)
        return reply

    def _keep(self, request: Request, error: Refusal) -> bool:
        """Keep a dead letter and tell whether that was done."""
        dead_letters = self.settings.dead_letters
        if dead_letters is None or not isinstance(error, InvalidEvent):
            return False
        try:
            dead_letters.keep(request.body, dict(list_pairs(request.headers)), error)
        except Exception as failure:  # noqa: BLE001 - then Dub keeps it, and sends it again
            self.log.error("the dead letter could not be kept: %s", type(failure).__qualname__)
            return False
        return True

    # -- event → handler ----------------------------------------------------------------------

    def find(
        self, delivery: Delivery, route: Route | None = None, call: Callable[[], Any] | None = None
    ) -> Handler | None:
        """Return what handles a delivery: the route it came to, a handler of ``on``, or nothing.

        Args:
            delivery: what came.
            route: the decorated route it came to, if any.
            call: that route's handler with its arguments.
        """
        event: Event = delivery.event
        # Asked first, because it refuses registrations from the first delivery on.
        handler = self.registry.find(event)
        if route is not None and call is not None and route.matches(event):
            return route.bind(call)
        if handler is None:
            self._reporter.report_ignored(event, route, self.registry)
            return self.registry.fallback
        return handler

    def turn_away(self, delivery: Delivery, route: Route) -> Reply:
        """Return the reply to an event that ``route`` does not take, and that goes nowhere else."""
        self._reporter.report_turned_away(delivery.event, route)
        return self._finish_unhandled(delivery).reply

    # -- claim → handler → reply --------------------------------------------------------------

    def handle(self, request: Request) -> Reply:
        """Take a request through the whole pipeline; see :meth:`Receiver.handle`."""
        opened = self.open(request)
        if isinstance(opened, Reply):
            return opened
        return self.run(opened, self.find(opened)).reply

    async def ahandle(self, request: Request) -> Reply:
        """Do what :meth:`handle` does, without blocking the event loop."""
        drivers.check_asyncio()
        opened = await self.aopen(request)
        if isinstance(opened, Reply):
            return opened
        return (await self.arun(opened, self.find(opened))).reply

    def run(self, delivery: Delivery, handler: Handler | None) -> Result:
        """Run a handler once, or queue its event, and return what to reply.

        ``None`` for a handler replies that nobody takes the event.

        Raises:
            ConfigurationError: the store or the handler needs an event loop.
            BaseException: what the handler raised.
        """
        if handler is None:
            return self._finish_unhandled(delivery)
        if self.needs_loop:
            raise ConfigurationError(
                f"{type(self.settings.store).__name__} needs an event loop: use ahandle or an "
                "ASGI adapter, or the sync store of the same engine"
            )
        return self._run_here(delivery, handler)

    async def arun(self, delivery: Delivery, handler: Handler | None) -> Result:
        """Do what :meth:`run` does, without blocking the event loop.

        A sync handler and its claims run in one worker thread: that thread goes
        on when the task is cancelled, and completes or releases its claims itself.
        """
        if handler is None:
            return self._finish_unhandled(delivery)
        # What is put into a queue is put although the client has gone.
        if handler.queue is not None or not (handler.is_async or self.needs_loop):
            return await run_in_thread(
                lambda loop: self._run_here(delivery, handler, loop), self.log
            )
        job = self._build_job(delivery, handler)
        ending = await self._start(job, self._choose_caller())
        return self._finish(delivery, handler, ending)

    def _run_here(
        self, delivery: Delivery, handler: Handler, loop: AbstractEventLoop | None = None
    ) -> Result:
        if handler.queue is not None:
            return self._enqueue(delivery, handler, handler.queue)
        return self._finish(delivery, handler, self.run_job(delivery, handler, loop))

    def run_job(
        self, delivery: Delivery, handler: Handler, loop: AbstractEventLoop | None = None
    ) -> Ending:
        """Claim and run a handler in this thread; an async one runs on ``loop``."""
        job = self._build_job(delivery, handler)
        return drivers.run_here(self._start(job, drivers.CallerHere(loop)))

    def _start(self, job: Job, caller: drivers.Caller) -> Coroutine[Any, Any, Ending]:
        if self._terms is None:
            return run_handler(job, caller, self.log, 1)
        return run_claimed(job, self._terms, caller)

    def _choose_caller(self) -> drivers.Caller:
        if self.needs_loop:
            return drivers.CallerOfCoroutines()
        if getattr(self.settings.store, "never_blocks", False):
            return drivers.CallerOfMemory()
        return drivers.CallerOfThreads()

    def _build_job(self, delivery: Delivery, handler: Handler) -> Job:
        event: Event = delivery.event
        call = partial(handler.function, event)
        job = Job(call, handler.is_async, handler.status_of, is_payout=is_payout(event))
        if handler.is_fallback:
            job = job._replace(outcome=_outcome_without_handler(event))
        if self._terms is None:
            return job
        keys = build_event_keys(self.settings.namespace, event, handler.dedupe)
        if handler.is_fallback:
            keys = tuple(map(build_unhandled_key, keys))
        return job._replace(keys=keys, fingerprints=build_fingerprints(event, keys))

    def _finish_unhandled(self, delivery: Delivery) -> Result:
        return self._finish(delivery, None, Ending(_outcome_without_handler(delivery.event)))

    def _finish(self, delivery: Delivery, handler: Handler | None, ending: Ending) -> Result:
        reply = self.report(delivery, handler, ending)
        if ending.error is not None:
            raise ending.error
        return Result(reply, ending.result)

    def report(
        self,
        delivery: Delivery,
        handler: Handler | None,
        ending: Ending,
        queued_seconds: float | None = None,
    ) -> Reply:
        """Log and observe how a delivery ended, and return the reply to it."""
        event: Event = delivery.event
        reply = build_reply(
            ending.outcome, event.id, status=ending.status, retry_after=ending.retry_after
        )
        self._reporter.report(reply, event, handler, ending, delivery.started, queued_seconds)
        return reply

    @property
    def name(self) -> str:
        """What messages in a queue call this receiver: its family and namespace."""
        return f"{self.family.name}:{self.settings.namespace}"

    def _enqueue(self, delivery: Delivery, handler: Handler, queue: Queue) -> Result:
        # Under a name that nobody took for a payout, its id may still say that it is one.
        if is_payout(delivery.event) and not handler.is_paid_when_queued:
            return self._finish_unhandled(delivery)
        try:
            queue.enqueue(self, delivery)
        except Exception as error:  # noqa: BLE001 - engines raise what they like
            self._reporter.report_queue_error(error)
            return self._finish(delivery, handler, Ending("unavailable"))
        return self._finish(delivery, handler, Ending("queued"))


def _check_age(event: Event, max_age: float) -> errors.EventTooOld | None:
    """Return why ``event`` is of no age to be handled: so a replay is a duplicate, or refused."""
    age = measure_age(event)
    if age > max_age:
        message = "the event is older than max_age: it is a replay, not a retry"
        return errors.EventTooOld(message, event.event, event.id)
    if -age > _AHEAD:
        message = "the event is from more than a day ahead: is the clock of this machine right?"
        return errors.EventFromFuture(message, event.event, event.id)
    return None


def _outcome_without_handler(event: Event) -> Outcome:
    return "unhandled_payout" if is_payout(event) else "ignored"
