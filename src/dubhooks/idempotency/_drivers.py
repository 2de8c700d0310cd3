"""Run the lifecycle where its caller is: in this thread, in a worker thread, or on an event loop.

The lifecycle is a coroutine, written once.  What it awaits comes from one of three
callers: ``CallerHere`` never suspends it, so :func:`run_here` needs no event loop;
``CallerOfThreads`` and ``CallerOfCoroutines`` wait on the running loop.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from asyncio import AbstractEventLoop, Future
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from typing import Any, Protocol, TypeVar

from ..errors import ConfigurationError
from ._log import Log

ResultT = TypeVar("ResultT")

_THREADS = 40


class Caller(Protocol):
    """Calls a store and a handler for one delivery."""

    interrupt: BaseException | None = None
    """What told this task or process to stop while a claim was made or given up."""

    async def call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a method of the store, to its end even when this task is cancelled."""
        ...

    async def run(self, handler: Callable[[], Any], is_async: bool) -> Any:
        """Call the handler and return its result; ``is_async``: it returns an awaitable."""
        ...


class CallerHere(Caller):
    """Calls a sync store and the handler in this thread."""

    def __init__(self, loop: AbstractEventLoop | None = None) -> None:
        """``loop``: runs in another thread, and async handlers on it."""
        self._loop = loop

    async def call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call it here."""
        return method(*args, **kwargs)

    async def run(self, handler: Callable[[], Any], is_async: bool) -> Any:
        """Call it here; an async one runs on the loop, or on one of its own."""
        del is_async
        result = handler()
        return None if result is None else wait_for_result(result, self._loop)


class CallerOfThreads(Caller):
    """On an event loop: calls a sync store in threads and awaits the handler."""

    async def call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call it in a thread."""
        return await finish(self, start_in_thread(partial(method, *args, **kwargs)))

    async def run(self, handler: Callable[[], Any], is_async: bool) -> Any:
        """Await it, or call it in a thread, which does not stop when this task is cancelled."""
        if is_async:
            return await handler()
        loop = asyncio.get_running_loop()
        return await finish(self, start_in_thread(lambda: call_and_await(handler, loop)))


class CallerOfCoroutines(CallerOfThreads):
    """On an event loop: awaits an async store and the handler."""

    async def call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Await it in a task of its own, so that it ends although this one is cancelled."""
        return await finish(self, asyncio.ensure_future(method(*args, **kwargs)))


class CallerOfMemory(CallerOfThreads):
    """On an event loop: calls a store that never blocks, and awaits the handler."""

    async def call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call it here."""
        return method(*args, **kwargs)


async def finish(caller: Caller, future: Future[ResultT]) -> ResultT:
    """Wait for ``future`` even when this task is cancelled, which ``caller`` notes.

    A thread does not stop, and a claim that was made but not seen would be held
    until its lease ends.
    """
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            # The very exception: cancel scopes know theirs by it.
            caller.interrupt = caller.interrupt or error
    return future.result()


def run_here(lifecycle: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine that never suspends, as all that it awaits returns at once."""
    try:
        lifecycle.send(None)
    except StopIteration as stop:
        result: ResultT = stop.value
        return result
    lifecycle.close()
    raise AssertionError("a lifecycle without an event loop waited for something")


async def run_in_thread(run: Callable[[AbstractEventLoop], ResultT], log: Log) -> ResultT:
    """Call ``run`` with this loop in a thread of ours, which goes on when the task is cancelled.

    Args:
        run: what to call.
        log: gets its error when nobody waits for it any more.
    """
    loop = asyncio.get_running_loop()
    is_awaited = True

    def work() -> ResultT:
        try:
            return run(loop)
        except Exception:
            if not is_awaited:
                log.exception("a delivery failed after its request had been cancelled")
            raise

    try:
        return await start_in_thread(work)
    except asyncio.CancelledError:
        is_awaited = False
        raise


def start_in_thread(call: Callable[[], ResultT]) -> Future[ResultT]:
    """Call ``call`` in a thread of ours, with this context's variables."""
    # Not the loop's own executor: an async handler that our thread waits for may need that one.
    context = copy_context()

    def run() -> ResultT:
        try:
            return context.run(call)
        except StopIteration as stop:
            # No future takes it, so whoever waits would wait for ever (as PEP 479 in coroutines).
            raise RuntimeError("StopIteration was raised in a thread") from stop

    return asyncio.get_running_loop().run_in_executor(_executor(), run)


def call_and_await(call: Callable[[], Any], loop: AbstractEventLoop | None = None) -> Any:
    """Return the result of ``call``; when that is an awaitable, the result of that one."""
    return wait_for_result(call(), loop)


def wait_for_result(result: Any, loop: AbstractEventLoop | None = None) -> Any:
    """Return ``result``, or what it gives when it is an awaitable.

    Args:
        result: what a callable returned.
        loop: where an awaitable runs, in another thread; without it, on a loop of its own.
    """
    if not inspect.isawaitable(result):
        return result
    if loop is not None:
        value, error = asyncio.run_coroutine_threadsafe(_capture(result), loop).result()
        if error is not None:
            raise error
        return value
    if is_on_event_loop():
        if inspect.iscoroutine(result):
            result.close()
        raise ConfigurationError(explain_running_loop())
    return asyncio.run(_wait_for(result))


def is_on_event_loop() -> bool:
    """Tell whether this thread runs an event loop of asyncio right now."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def check_asyncio() -> None:
    """Raise ``ConfigurationError`` when no event loop of asyncio runs, as under trio."""
    if not is_on_event_loop():
        raise ConfigurationError(
            "dubhooks needs asyncio, and no event loop of asyncio runs here: under trio use "
            "handle(), or run the server with asyncio (hypercorn without -k trio)"
        )


def explain_running_loop() -> str:
    """Return why an async handler cannot run in this thread, and what to do."""
    message = "handle() cannot run an async handler on a running event loop: await ahandle()"
    if "gevent" in sys.modules:
        message += (
            "; under gevent the greenlets of a thread share its event loop, so async handlers "
            "cannot run there: write the handler as a plain function, or use workers with threads"
        )
    return message


async def _wait_for(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def _capture(awaitable: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    # An exit or an interrupt in a handler is for its delivery, not for the loop.
    try:
        return await awaitable, None
    except BaseException as error:  # noqa: BLE001
        return None, error


@cache
def _executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="dubhooks")


# A forked child has none of its parent's threads.
if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_executor.cache_clear)
