"""Which handler takes which event, and what is refused at registration."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial, wraps
from typing import Any

import pytest

from dubhooks import (
    ConfigurationError,
    MemoryStore,
    Postbacks,
    UnknownEvent,
    Webhooks,
    postbacks,
    webhooks,
)
from dubhooks.testing import make_event, signed_request
from dubhooks.webhooks import LeadCreated, LinkClicked, LinkCreated, PayoutConfirmed, SaleCreated
from tests.support.receiving import SECRET, sale, signed


def nothing(_: object) -> None:
    """Do nothing with an event."""


class TestOn:
    """Registering handlers."""

    @pytest.mark.parametrize("name", sorted(webhooks.family.classes))
    def test_every_webhook_by_name(self, name: str) -> None:
        """Every name of a webhook event registers a handler that gets that event."""
        hooks = Webhooks(SECRET)
        seen: list[Any] = []
        assert hooks.on(name)(seen.append) is not None  # type: ignore[call-overload]
        cls: Any = webhooks.family.classes[name]
        event = make_event(cls, event=name)
        assert hooks.handle(*signed(event)).outcome == "handled"
        assert seen == [event]

    @pytest.mark.parametrize("name", sorted(postbacks.family.classes))
    def test_every_postback_by_class(self, name: str) -> None:
        """Every class of a postback event registers a handler that gets that event."""
        hooks = Postbacks(SECRET)
        seen: list[Any] = []
        cls: Any = postbacks.family.classes[name]
        hooks.on(cls)(seen.append)
        event = make_event(cls)
        assert hooks.handle(*signed_request(event, SECRET)).outcome == "handled"
        assert seen == [event]

    def test_several_classes(self) -> None:
        """One handler can take several events, and only those."""
        hooks = Webhooks(SECRET)
        hooks.on(SaleCreated, LeadCreated, LinkCreated, LinkClicked, PayoutConfirmed)(nothing)
        events = (
            make_event(SaleCreated),
            make_event(LeadCreated),
            make_event(PayoutConfirmed, event="external_payout.confirmed"),
            make_event(webhooks.LinkDeleted),
        )
        outcomes = [hooks.handle(*signed(event)).outcome for event in events]
        assert outcomes == ["handled", "handled", "handled", "ignored"]

    def test_the_function_stays_itself(self) -> None:
        """Decorating a function leaves it as it was."""
        hooks = Webhooks(SECRET)
        assert hooks.on(SaleCreated)(nothing) is nothing
        assert hooks.on_unhandled(nothing) is nothing

    @pytest.mark.parametrize(
        "second", [(SaleCreated,), ("sale.created",), (LinkClicked, SaleCreated)]
    )
    def test_a_second_handler_is_refused(self, second: tuple[Any, ...]) -> None:
        """An event has one handler, and a refused registration registers nothing at all."""
        hooks = Webhooks(SECRET)
        hooks.on(SaleCreated)(nothing)
        with pytest.raises(ConfigurationError, match=r"sale\.created has a handler already"):
            hooks.on(*second)(nothing)
        hooks.on(LinkClicked)(nothing)

    def test_both_names_of_a_payout_are_one_event(self) -> None:
        """The two names of the payout event cannot have two handlers."""
        hooks = Webhooks(SECRET)
        hooks.on("payout.confirmed")(nothing)
        with pytest.raises(ConfigurationError, match=r"external_payout\.confirmed has a"):
            hooks.on("external_payout.confirmed")(nothing)

    def test_the_same_class_twice_in_one_call(self) -> None:
        """Naming an event twice in one call is naming it."""
        hooks = Webhooks(SECRET)
        hooks.on(SaleCreated, SaleCreated)(nothing)
        assert hooks.handle(*signed(sale())).outcome == "handled"

    @pytest.mark.parametrize(
        ("events", "message"),
        [
            ((), "name the webhook events"),
            (("sale.craeted",), r"'sale\.craeted' is not a webhook event; there are link\.created"),
            ((postbacks.SaleCreated,), "webhooks and postbacks share names but not classes"),
            ((UnknownEvent,), "unknown events go to on_unhandled"),
            ((SaleCreated, UnknownEvent), "unknown events go to on_unhandled"),
            ((nothing,), "this is not a webhook event"),
            ((int,), "this is not a webhook event"),
            ((None,), "this is not a webhook event"),
            ((sale(),), "this is not a webhook event"),
        ],
    )
    def test_what_is_no_event(self, events: tuple[Any, ...], message: str) -> None:
        """Anything but this family's events is refused at once, before a function is given."""
        with pytest.raises(ConfigurationError, match=message):
            Webhooks(SECRET).on(*events)

    def test_wrong_family_of_postbacks(self) -> None:
        """A receiver of postbacks refuses the class of a webhook, and a webhook's name."""
        with pytest.raises(ConfigurationError, match="not a postback event"):
            Postbacks(SECRET).on(webhooks.SaleCreated)  # type: ignore[call-overload]
        with pytest.raises(ConfigurationError, match=r"there are lead\.created, sale"):
            Postbacks(SECRET).on("payout.confirmed")  # type: ignore[call-overload]

    @pytest.mark.parametrize("function", [None, "nothing", 1, sale()])
    def test_what_cannot_be_called(self, function: Any) -> None:
        """A handler must be callable."""
        hooks = Webhooks(SECRET)
        with pytest.raises(ConfigurationError, match="must be callable"):
            hooks.on(SaleCreated)(function)
        with pytest.raises(ConfigurationError, match="must be callable"):
            hooks.on_unhandled(function)

    @pytest.mark.parametrize("dedupe", ["ID", None, True])
    def test_unknown_dedupe(self, dedupe: Any) -> None:
        """A misspelt way to deduplicate is refused."""
        with pytest.raises(ConfigurationError, match='"id" or "natural"'):
            Webhooks(SECRET).on(SaleCreated, dedupe=dedupe)(nothing)

    def test_nothing_to_deduplicate_with(self) -> None:
        """Without a store no claim is made, so the natural key would count for nothing."""
        with pytest.raises(ConfigurationError, match="needs a store"):
            Webhooks(SECRET).on(SaleCreated, dedupe="natural")

    @pytest.mark.parametrize(
        "function",
        [lambda: None, lambda _, __: None, lambda *, _: None],
        ids=["none", "two", "by keyword"],
    )
    def test_what_takes_no_event(self, function: Any) -> None:
        """A handler that could not be called with one event is refused before one comes."""
        hooks = Webhooks(SECRET)
        with pytest.raises(ConfigurationError, match="takes the event and nothing else"):
            hooks.on(SaleCreated)(function)
        with pytest.raises(ConfigurationError, match="takes the event and nothing else"):
            hooks.on_unhandled(function)

    @pytest.mark.parametrize(
        "function",
        [print, list[Any]().append, lambda *_: None, lambda _, __=1: None, dict],
        ids=["print", "append", "any number", "with a default", "class"],
    )
    def test_what_takes_an_event(self, function: Any) -> None:
        """Whatever can be called with one event is a handler, also if its signature is unknown."""
        Webhooks(SECRET).on(SaleCreated)(function)

    def test_a_handler_that_yields(self) -> None:
        """A generator is refused: calling it would run none of it and lose every event."""

        def generator(_: Any) -> Iterator[None]:
            yield

        async def async_generator(_: Any) -> AsyncIterator[None]:
            yield

        class Handler:
            def __call__(self, _: Any) -> Iterator[None]:
                yield

        for function in (generator, async_generator, Handler(), partial(generator)):
            with pytest.raises(ConfigurationError, match="must not yield"):
                Webhooks(SECRET).on(SaleCreated)(function)

    def test_late_registration(self) -> None:
        """Once a delivery was looked up, another handler would have missed it."""
        hooks = Webhooks(SECRET)
        hooks.handle(*signed(sale()))
        with pytest.raises(ConfigurationError, match="before the first delivery"):
            hooks.on(SaleCreated)(nothing)
        with pytest.raises(ConfigurationError, match="before the first delivery"):
            hooks.on_unhandled(nothing)

    def test_strangers_do_not_close_it(self) -> None:
        """A request that is no delivery does not stop the application from registering."""
        hooks = Webhooks(SECRET)
        assert hooks.handle(b"{}", {}).status == 401
        hooks.on(SaleCreated)(nothing)
        assert hooks.handle(*signed(sale())).outcome == "handled"

    def test_on_unhandled_twice(self) -> None:
        """There is one ``on_unhandled``."""
        hooks = Webhooks(SECRET)
        hooks.on_unhandled(nothing)
        with pytest.raises(ConfigurationError, match="on_unhandled has a handler already"):
            hooks.on_unhandled(nothing)


class TestHandlers:
    """Everything that can be called can be a handler."""

    def kinds(self, seen: list[Any]) -> dict[str, Any]:
        """Return handlers of every kind, each appending its event to ``seen``."""

        async def coroutine(event: Any) -> None:
            await asyncio.sleep(0)
            seen.append(event)

        async def two(_: str, event: Any) -> None:
            seen.append(event)

        class Callable:
            def __call__(self, event: Any) -> None:
                seen.append(event)

        class AsyncCallable:
            async def __call__(self, event: Any) -> None:
                seen.append(event)

            async def method(self, event: Any) -> None:
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

        @wraps(coroutine)
        def plain_wrapper(event: Any) -> Any:
            return coroutine(event)

        return {
            "function": lambda event: seen.append(event),
            "bound method": seen.append,
            "coroutine": coroutine,
            "partial": partial(lambda _, event: seen.append(event), "x"),
            "async partial": partial(two, "x"),
            "nested async partial": partial(partial(two), "x"),
            "callable": Callable(),
            "async callable": AsyncCallable(),
            "async partial callable": partial(AsyncCallable()),
            "async method": AsyncCallable().method,
            "class": Task,
            "lambda to coroutine": lambda event: coroutine(event),
            "wrapper of coroutine": plain_wrapper,
            "awaitable object": Later,
        }

    @pytest.mark.parametrize("kind", sorted(kinds(None, [])))  # type: ignore[arg-type]
    @pytest.mark.parametrize("way", ["handle", "ahandle"])
    @pytest.mark.parametrize("store_type", [None, MemoryStore])
    def test_kind(self, kind: str, way: str, store_type: Any) -> None:
        """A handler runs to its end whatever it is, and whichever method delivers."""
        seen: list[Any] = []
        hooks = Webhooks(SECRET, store=store_type and store_type())
        hooks.on(SaleCreated)(self.kinds(seen)[kind])
        event = sale()
        request = signed(event)
        reply = hooks.handle(*request) if way == "handle" else asyncio.run(hooks.ahandle(*request))
        assert reply.outcome == "handled"
        assert seen == [event]
