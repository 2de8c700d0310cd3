"""The receiver: bytes → verified → event → claim → handler → reply.

It knows no framework.  An adapter reads the body, and sends the reply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from .._body import Request
from ..errors import ConfigurationError, to_seconds
from ..events._base import Event
from ..idempotency._drivers import check_asyncio, run_in_thread
from ..idempotency._keys import check_dedupe, check_namespace, list_keys_of
from ..signature import Keyring, explain_odd_secret
from ._pipeline import Pipeline
from ._registry import resolve_events
from ._settings import DEFAULT_RETENTION, UNSET, Settings, Unset, check_methods, check_observers

if TYPE_CHECKING:
    from .._headers import Headers
    from ..dead_letters import DeadLetters
    from ..events._family import Family
    from ..idempotency import AsyncStore, Store
    from ..idempotency._keys import Dedupe
    from ..queues import Queue
    from ..reply import Reply
    from ..signature import Secret
    from ._settings import Duration, Observer

__all__ = ["Receiver", "pipeline_of"]

EventT = TypeVar("EventT", bound=Event)


class Receiver(Generic[EventT]):
    """What :class:`~dubhooks.Webhooks` and :class:`~dubhooks.Postbacks` share."""

    _family: ClassVar[Family[Any]]

    def __init__(
        self,
        secret: Secret,
        *,
        store: Store | AsyncStore | None = None,
        namespace: str = "default",
        lease: Duration = 60.0,
        retention: Duration = DEFAULT_RETENTION,
        max_age: Duration | Unset | None = UNSET,
        max_body: int = 1_048_576,
        dead_letters: DeadLetters | None = None,
        observers: Iterable[Observer] = (),
    ) -> None:
        """Set a receiver up.  Durations are seconds or a ``timedelta``.

        Args:
            secret: the signing secret; several of them, of which any may match, so that one
                can be rotated; or a callable that returns either, asked for every delivery.
            store: where claims live; without one, an event that comes again runs again.
            namespace: keeps receivers that share a store apart.
            lease: how long after a crash until another delivery takes an event over; a claim
                is renewed while its handler runs.
            retention: how long a done event is remembered; retries can span 15 days.
            max_age: refuse events that Dub built longer ago; by default ``retention`` when
                there is a store, so that a replay is either a duplicate or too old.
            max_body: the most bytes of a body.
            dead_letters: keeps known events that do not fit their model.
            observers: called with one :class:`~dubhooks.DeliveryRecord` per delivery.

        Raises:
            ConfigurationError: an argument cannot work.
        """
        keyring = Keyring(secret)
        warning = explain_odd_secret(secret, self._family.name)
        del secret  # error trackers send the variables of a frame that raises
        keyring.check()
        if isinstance(max_age, Unset):
            max_age = None if store is None else retention
        settings = Settings(
            store=store,
            namespace=check_namespace(namespace),
            lease=to_seconds("lease", lease),
            retention=to_seconds("retention", retention),
            max_age=None if max_age is None else to_seconds("max_age", max_age),
            max_body=max_body,
            dead_letters=dead_letters,
            observers=check_observers(observers),
        )
        self._pipeline: Pipeline[EventT] = Pipeline(self._family, keyring, settings)
        if warning is not None:
            self._pipeline.log.warning(warning)

    def __repr__(self) -> str:
        if not hasattr(self, "_pipeline"):  # __init__ has failed
            return f"<{type(self).__name__}>"
        settings = self._pipeline.settings
        return f"<{type(self).__name__} namespace={settings.namespace!r} store={settings.store!r}>"

    @property
    def max_body(self) -> int:
        """The most bytes of a body; adapters stop reading beyond it."""
        return self._pipeline.settings.max_body

    @property
    def store(self) -> Store | AsyncStore | None:
        """Where claims live."""
        return self._pipeline.settings.store

    def warm_up(self) -> None:
        """Do now what the first delivery would do: build the parser, and check the queues.

        Raises:
            ConfigurationError: a queue's engine is set up so that it could lose events.
        """
        self._family.warm_up()
        for queue in self._pipeline.registry.queues:
            queue.ensure_checked()

    def unwrap(self, body: bytes, headers: Headers) -> EventT:
        """Verify and parse a delivery; no handler runs and nothing is claimed.

        Args:
            body: the raw request body, unparsed.
            headers: a mapping or pairs, of ``str`` or ``bytes``.

        Raises:
            VerificationError: it is not from Dub.
            PayloadError: it is, but holds no event that can be used.
            ConfigurationError: the body is not bytes, or the secret is unusable.
        """
        request = Request(body, headers)
        del body, headers
        return self._pipeline.unwrap(request)

    def handle(self, body: bytes, headers: Headers) -> Reply:
        """Take a delivery through the whole pipeline and return what to reply.

        An async handler runs to its end on an event loop of its own.

        Args:
            body: the raw request body, unparsed.
            headers: a mapping or pairs, of ``str`` or ``bytes``.

        Raises:
            ConfigurationError: the receiver cannot work here, for example
                because it is called on an event loop (use ``ahandle``).
            Exception: what the handler raised, after its claim was released, so
                that the framework's error reporting sees it.
        """
        request = Request(body, headers)
        del body, headers
        return self._pipeline.handle(request)

    async def ahandle(self, body: bytes, headers: Headers) -> Reply:
        """Do what :meth:`handle` does, without blocking the event loop of asyncio.

        A sync handler runs in a worker thread.
        """
        request = Request(body, headers)
        del body, headers
        return await self._pipeline.ahandle(request)

    def forget(self, what: str | Event) -> bool:
        """Forget that an event was handled, so that it runs again when it comes again.

        Args:
            what: an event's id, a natural key, or an event, which stands for both.

        Returns:
            Whether something was forgotten.  An event whose handler runs right now is not.

        Raises:
            ConfigurationError: there is no store, or an async one (await ``aforget``).
        """
        keys = self._keys_to_forget(what)
        if self._pipeline.needs_loop:
            raise ConfigurationError(f"{type(self.store).__name__} is async: await aforget(...)")
        return self._forget_all(keys)

    async def aforget(self, what: str | Event) -> bool:
        """Do what :meth:`forget` does, without blocking the event loop."""
        keys = self._keys_to_forget(what)
        if not self._pipeline.needs_loop:
            check_asyncio()
            return await run_in_thread(lambda _: self._forget_all(keys), self._pipeline.log)
        forgotten = [await cast("AsyncStore", self.store).forget(key) for key in keys]
        return any(forgotten)

    def _forget_all(self, keys: list[str]) -> bool:
        forgotten = [cast("Store", self.store).forget(key) for key in keys]
        return any(forgotten)

    def _keys_to_forget(self, what: str | Event) -> list[str]:
        if self.store is None:
            raise ConfigurationError("without a store nothing is remembered: Webhooks(store=...)")
        if not isinstance(what, Event) and not (isinstance(what, str) and what):
            raise ConfigurationError("forget takes an event, the id of one, or a natural key")
        return list_keys_of(self._pipeline.settings.namespace, self._family.name, what)

    def _register(
        self,
        events: tuple[object, ...],
        dedupe: Dedupe,
        queue: Queue | None,
        is_paid_when_queued: bool,
    ) -> Callable[[Any], Any]:
        pipeline = self._pipeline
        takes = resolve_events(self._family, events)
        check_dedupe(dedupe, has_store=self.store is not None)

        check_methods("queue", queue, "accept", "enqueue", "ensure_checked")
        if queue is not None:
            queue.accept(pipeline, takes, is_paid_when_queued=is_paid_when_queued)
        elif is_paid_when_queued:
            raise ConfigurationError("paid_when_queued=True needs queue=: nothing is queued here")

        return partial(pipeline.registry.add, takes, dedupe, queue, is_paid_when_queued)


def pipeline_of(hooks: object) -> Pipeline[Any]:
    """Return the pipeline of a receiver: what adapters drive.

    Raises:
        ConfigurationError: ``hooks`` is no receiver.
    """
    if not isinstance(hooks, Receiver):
        raise ConfigurationError(
            "the receiver comes first: @webhook(hooks, SaleCreated), "
            "with hooks = dubhooks.Webhooks(secret)"
        )
    pipeline: Pipeline[Any] = cast("Any", hooks)._pipeline
    return pipeline
