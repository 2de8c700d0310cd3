"""Which handler takes which event, and what is refused at registration."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial, wraps
from types import SimpleNamespace
from typing import Any

import pytest

from dubhooks import (
    ConfigurationError,
    MemoryStore,
    Reply,
    UnknownEvent,
    Webhooks,
    postbacks,
    webhooks,
)
from dubhooks._body import Request
from dubhooks.receiver import pipeline_of
from dubhooks.receiver._functions import (
    check_handler,
    globals_of,
    hide_event,
    is_async_callable,
    name_of,
    read_signature,
    resolve,
)
from dubhooks.receiver._route import plan_route
from dubhooks.testing import make_event, make_unknown_event
from dubhooks.webhooks import LinkClicked, PayoutConfirmed, SaleCreated
from tests.support.receiving import SECRET, sale, signed

Log = pytest.LogCaptureFixture


def nothing(_: object) -> None:
    """Do nothing with an event."""


def with_request(request: object, event: SaleCreated, tenant: str) -> None:
    """Take what frameworks pass beside the event."""


class Lazy:
    """A handler whose signature Python cannot tell."""

    def __call__(self, event: Any) -> None:
        """Do nothing."""

    @property
    def __signature__(self) -> Any:
        raise NameError("name 'SaleCreated' is not defined")


class TestOn:
    """Registering handlers by class."""

    @pytest.mark.parametrize("second", [(SaleCreated,), (LinkClicked, SaleCreated)])
    def test_a_second_handler_is_refused(self, second: tuple[Any, ...]) -> None:
        """An event has one handler, and a refused registration registers nothing at all."""
        hooks = Webhooks(SECRET)
        assert hooks.on(SaleCreated)(nothing) is nothing
        with pytest.raises(ConfigurationError, match=r"sale\.created has a handler already, noth"):
            hooks.on(*second)(nothing)
        hooks.on(LinkClicked)(nothing)
        assert hooks.on_unhandled(nothing) is nothing
        with pytest.raises(ConfigurationError, match="on_unhandled has a handler already, nothing"):
            hooks.on_unhandled(nothing)

    @pytest.mark.parametrize(
        ("events", "message"),
        [
            ((), r"name the webhook events by their class: on\(SaleCreated\)"),
            ((postbacks.SaleCreated,), r"not a webhook event: .* from dubhooks\.webhooks"),
            ((SaleCreated, "a.b"), r"no class is named alone, on\(\"invoice\.refunded\"\)"),
            ((UnknownEvent,), r"no class is named alone, on\(\"invoice\.refunded\"\)"),
            *(
                ((what,), "events are named by their classes, one by one, before")
                for what in (nothing, [SaleCreated], SaleCreated | LinkClicked, int, None, sale())
            ),
        ],
    )
    def test_what_is_no_event(self, events: tuple[Any, ...], message: str) -> None:
        """Anything but this family's events is refused at once, before a function is given."""
        with pytest.raises(ConfigurationError, match=message):
            Webhooks(SECRET).on(*events)

    @pytest.mark.parametrize("function", [None, "nothing", 1, sale()])
    def test_what_cannot_be_called(self, function: Any) -> None:
        """A handler must be callable."""
        hooks = Webhooks(SECRET)
        for decorate in (hooks.on(SaleCreated), hooks.on_unhandled):
            with pytest.raises(ConfigurationError, match=f"this is {type(function).__name__}: a"):
                decorate(function)

    def test_nothing_to_deduplicate_with(self) -> None:
        """Without a store no claim is made, so the natural key would count for nothing."""
        hooks = Webhooks(SECRET)
        with pytest.raises(ConfigurationError, match="needs a store"):
            hooks.on(SaleCreated, dedupe="natural")
        with pytest.raises(ConfigurationError, match="needs a store"):
            plan_route(hooks, (SaleCreated,), "natural")

    def test_late_registration(self) -> None:
        """Once a delivery was looked up, another handler would have missed it."""
        hooks = Webhooks(SECRET)
        hooks.handle(*signed(sale()))
        for decorate in (hooks.on(SaleCreated), hooks.on_unhandled):
            with pytest.raises(ConfigurationError, match="nothing is registered after the first"):
                decorate(nothing)

    def test_a_delivery_to_a_route_is_one(self) -> None:
        """A route that takes a delivery ends registrations as well."""
        hooks = Webhooks(SECRET)
        pipeline = pipeline_of(hooks)
        route = plan_route(hooks, ()).add_route(nothing, is_async=False, status_of=lambda _: 200)
        delivery: Any = pipeline.open(Request(*signed(sale())))
        assert pipeline.find(delivery, route, lambda: None) is not None
        with pytest.raises(ConfigurationError, match="after the first delivery"):
            hooks.on(SaleCreated)(nothing)


class TestNames:
    """Registering handlers of events that this version has no model for."""

    def test_an_unknown_event(self) -> None:
        """The handler gets the event as an ``UnknownEvent``; it may take a class as well."""
        hooks, seen = Webhooks(SECRET), list[Any]()

        @hooks.on("invoice.refunded")
        def refund(event: UnknownEvent) -> None:
            seen.append(event)

        hooks.on(PayoutConfirmed)(seen.append)
        events = [
            make_unknown_event("invoice.refunded", {"id": "in_1"}),
            make_event(PayoutConfirmed),
        ]
        assert [hooks.handle(*signed(event)).outcome for event in events] == ["handled"] * 2
        assert hooks.handle(*signed(make_unknown_event("invoice.paid"))).outcome == "ignored"
        assert seen == events

    @pytest.mark.parametrize("name", sorted(webhooks.family.classes))
    def test_a_name_that_has_a_model(self, name: str) -> None:
        """It is refused, and the class is named with where it comes from."""
        cls = webhooks.family.classes[name].__name__
        with pytest.raises(ConfigurationError) as raised:
            Webhooks(SECRET).on(name)
        assert str(raised.value) == (
            f"{name!r} has a model: write on({cls}), with from dubhooks.webhooks import {cls}"
        )

    @pytest.mark.parametrize("name", ["*", "payout.*", "", "a b", "a-b", "a.b\n", "é", "a/b"])
    def test_what_is_no_name(self, name: str) -> None:
        """A name is letters, digits, dots and underscores; ``on_unhandled`` takes the rest."""
        with pytest.raises(ConfigurationError, match=r"is no name of an event: .* on_unhandled"):
            Webhooks(SECRET).on(name)


class TestParameters:
    """What a handler of ``on`` takes: the event and nothing else."""

    @pytest.mark.parametrize(
        ("function", "message"),
        [
            (lambda _, __: None, "takes __ beside the event"),
            (lambda _, tenant, db=1: (tenant, db), "takes tenant, db beside the event"),
            (lambda _, *, db=1: db, r"takes db beside .* decorate a route with @webhook\(hooks"),
            (lambda: None, "has no event parameter: the first one"),
            (lambda *, _: None, "has no event parameter: the first one"),
            (lambda **_: None, "has no event parameter: the first one"),
        ],
    )
    def test_refused(self, function: Any, message: str) -> None:
        """Nothing more, even with a default, and nothing less; the function is named."""
        hooks = Webhooks(SECRET)
        for decorate in (hooks.on(SaleCreated), hooks.on_unhandled):
            with pytest.raises(ConfigurationError, match=f"{name_of(function)} {message}"):
                decorate(function)

    @pytest.mark.parametrize(
        "function",
        [
            list[Any]().append,
            lambda *_: None,
            lambda _, *__, **___: None,
            dict,
            Lazy(),
            partial(lambda db, event: (db, event), "db"),
            partial(lambda event, db: (db, event), db="db"),
        ],
        ids=["append", "any number", "and more", "class", "unknown", "partial", "by keyword"],
    )
    def test_accepted(self, function: Any) -> None:
        """What a partial has bound is no second parameter; what Python cannot tell is no reason."""
        hooks = Webhooks(SECRET)
        hooks.on(SaleCreated)(function)
        assert hooks.handle(*signed(sale())).outcome == "handled"

    def test_methods(self) -> None:
        """A method of a class gets no ``self`` from anybody; one of an object has it."""

        class Shop:
            def record(self, _: SaleCreated) -> None: ...

            @classmethod
            def note(cls, _: SaleCreated) -> None: ...

        hooks = Webhooks(SECRET)
        with pytest.raises(ConfigurationError, match=r"Shop\.record is a method, and nobody"):
            hooks.on(SaleCreated)(Shop.record)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="is a method, and nobody passes its cls"):
            check_handler(vars(Shop)["note"].__func__, position=1)
        hooks.on(SaleCreated)(Shop().record)
        Webhooks(SECRET).on(SaleCreated)(Shop.note)

    def test_a_handler_that_yields(self) -> None:
        """A generator is refused: calling it would run none of it and lose every event."""

        async def async_generator(_: Any) -> AsyncIterator[None]:
            yield

        class Handler:
            def __call__(self, _: Any) -> Iterator[None]:
                yield

        for function in (async_generator, Handler(), partial(Handler())):
            with pytest.raises(ConfigurationError, match="yields, so calling it would run none"):
                Webhooks(SECRET).on(SaleCreated)(function)

    def test_positions(self) -> None:
        """Frameworks with a request have the event second."""
        check_handler(with_request, position=1)
        check_handler(lambda *_: None, position=1)
        with pytest.raises(ConfigurationError, match="has no event parameter: the second one"):
            check_handler(lambda _: None, position=1)

    def test_annotations(self) -> None:
        """Names in them are those of the decorated function, through wrappers and partials."""

        @wraps(nothing)
        def wrapper(*_: Any) -> None: ...

        class Called:
            def __call__(self, _: Any) -> None: ...

        for function in (nothing, wrapper, partial(nothing), Called()):
            assert globals_of(function)["SECRET"] == SECRET
        assert globals_of(list[Any]().append) == {}
        assert resolve("SECRET", globals()) == SECRET
        assert resolve("LinkUpdated", globals()) == "LinkUpdated"

    def test_hiding_the_event(self) -> None:
        """A view shows the parameters that a caller fills in: all but the event."""

        def view() -> None: ...

        def shown() -> list[str]:
            signature = read_signature(view)
            assert signature is not None
            return list(signature.parameters)

        hide_event(view, with_request, 1)
        assert shown() == ["request", "tenant"]
        hide_event(view, lambda *arguments: arguments, 1)
        assert shown() == ["arguments"]
        hide_event(view, Lazy())
        assert shown() == ["arguments"]


def kinds_of_handlers(seen: list[Any]) -> dict[str, Any]:
    """Return handlers of every kind, each appending its event to ``seen``."""

    async def coroutine(event: Any) -> None:
        await asyncio.sleep(0)
        seen.append(event)

    async def two(_: str, event: Any) -> None:
        seen.append(event)

    class AsyncCallable:
        async def __call__(self, event: Any) -> None:
            seen.append(event)

    class Task:
        def __init__(self, event: Any) -> None:
            seen.append(event)

        async def __call__(self) -> None:
            raise AssertionError("the class is the handler, not its object")

    class Later:
        def __init__(self, event: Any) -> None:
            self.event = event

        def __await__(self) -> Any:
            seen.append(self.event)
            return asyncio.sleep(0).__await__()

    return {
        "bound method": seen.append,
        "async function": coroutine,
        "nested async partial": partial(partial(two), "x"),
        "async partial callable": partial(AsyncCallable()),
        "class": Task,
        "lambda to coroutine": lambda event: coroutine(event),
        "awaitable object": Later,
    }


@pytest.mark.parametrize("kind", kinds_of_handlers([]))
@pytest.mark.parametrize("way", ["handle", "ahandle"])
def test_every_kind_of_handler(kind: str, way: str) -> None:
    """A handler runs to its end whatever it is, and whichever method delivers."""
    for store in (None, MemoryStore()):
        seen: list[Any] = []
        hooks = Webhooks(SECRET, store=store)
        handler = kinds_of_handlers(seen)[kind]
        hooks.on(SaleCreated)(handler)
        event = sale()
        request = signed(event)
        if way == "handle":
            assert hooks.handle(*request).outcome == "handled"
        else:
            assert asyncio.run(hooks.ahandle(*request)).outcome == "handled"
        assert seen == [event]
        assert is_async_callable(handler) == ("async" in kind)


@pytest.mark.parametrize(
    ("result", "outcome", "is_told"),
    [
        *((SimpleNamespace(status_code=it), "failed", False) for it in (100, 199, 399, 400, 599)),
        *((SimpleNamespace(status_code=it), "handled", False) for it in (200, 299)),
        (("down", 503), "failed", False),
        (("down", 503, {}), "failed", False),
        (Reply(503, {}, b"", "unavailable"), "failed", False),
        (SimpleNamespace(status_code=True), "handled", True),
        (SimpleNamespace(status_code=600), "handled", True),
        (("down", {"X-Added": "1"}), "handled", True),
        ((503,), "handled", True),
        (500, "handled", True),
        (False, "handled", True),
    ],
)
def test_what_a_handler_returned(result: Any, outcome: str, is_told: bool, discreet: Log) -> None:
    """A framework's response counts; what is none means nothing, and is told once."""
    hooks = Webhooks(SECRET)
    hooks.on(SaleCreated)(lambda _: result)
    for _ in range(2):
        reply = hooks.handle(*signed(sale()))
        assert reply.outcome == outcome
        if outcome == "failed":
            assert reply.status >= 400  # Dub takes a redirect for a success
    told = [one for one in discreet.records if "means nothing here" in one.getMessage()]
    assert len(told) == is_told
