"""Taking the steps of a pipeline, in this thread or on an event loop.

A pipeline is a generator that yields steps, so that it is written once; a
driver takes each step and sends back what it came to.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, CancelledError, Future
    from collections.abc import Awaitable, Callable, Generator
    from typing import TypeAlias

    Mode: TypeAlias = Literal["await", "thread", "inline"]

__all__ = [
    "Answer",
    "Step",
    "answered",
    "drive",
    "drive_async",
    "in_thread",
    "is_on_event_loop",
    "taken",
]

logger = logging.getLogger("dubhooks")

ResultT = TypeVar("ResultT")


class Step(NamedTuple):
    """One thing for a driver to do."""

    call: Callable[[], Any]
    mode: Mode
    """On an event loop: await what ``call`` returns, call it in a thread, or just call it."""
    can_cancel: bool = False
    """Cancelling the task stops this step; any other step goes to its end first."""


class Answer(NamedTuple):
    """What a step came to.  An error is a value here, so that no kind of it is special."""

    value: Any = None
    error: BaseException | None = None
    cancelled: CancelledError | None = None
    """The task was cancelled meanwhile; the step itself went to its end."""


if TYPE_CHECKING:
    Steps: TypeAlias = Generator[Step, Answer, ResultT]


def drive(steps: Steps[ResultT], loop: AbstractEventLoop | None = None) -> ResultT:
    """Take the steps in this thread.

    Awaitables run on ``loop``, which runs in another thread; without it on an
    event loop of their own.
    """
    try:
        step = next(steps)
        while True:
            step = steps.send(taken(step.call, loop))
    except StopIteration as stop:
        result: ResultT = stop.value
        return result


async def drive_async(steps: Steps[ResultT]) -> ResultT:
    """Take the steps on the running event loop.

    A step that cannot be cancelled goes to its end even when the task is
    cancelled: a thread does not stop, and a claim that was made but not seen
    would be held until its lease ends.  The cancellation goes on afterwards.
    """
    cancelled = None
    try:
        step = next(steps)
        while True:
            answer = await _taken_async(step)
            cancelled = cancelled or answer.cancelled
            step = steps.send(answer)
    except StopIteration as stop:
        result: ResultT = stop.value
    if cancelled is not None:
        # The very exception: cancel scopes know theirs by it.
        raise cancelled
    return result


async def in_thread(run: Callable[[AbstractEventLoop], ResultT]) -> ResultT:
    """Call ``run`` with this loop in a worker thread, which goes on when the task is cancelled."""
    loop = asyncio.get_running_loop()
    nobody_waits = False

    def work() -> ResultT:
        try:
            return run(loop)
        except Exception:
            if nobody_waits:
                logger.exception("a delivery failed after its request had been cancelled")
            raise

    try:
        return await asyncio.to_thread(work)
    except asyncio.CancelledError:
        nobody_waits = True
        raise


def is_on_event_loop() -> bool:
    """Tell whether this thread runs an event loop right now."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def taken(call: Callable[[], Any], loop: AbstractEventLoop | None = None) -> Answer:
    """Take one step in this thread; what it raises is its answer too."""
    try:
        value = call()
        if value is None or not inspect.isawaitable(value):
            return Answer(value)
        return _awaited_here(value, loop)
    except BaseException as error:  # noqa: BLE001 - claims are released on every one of them
        return Answer(error=error)


def _awaited_here(awaitable: Awaitable[Any], loop: AbstractEventLoop | None) -> Answer:
    if loop is not None:
        answering = answered(lambda: awaitable)
        return asyncio.run_coroutine_threadsafe(answering, loop).result()
    if is_on_event_loop():
        if inspect.iscoroutine(awaitable):
            awaitable.close()
        raise ConfigurationError(
            "handle() cannot run an async handler on a running event loop: await ahandle()"
        )
    return Answer(asyncio.run(_awaited(awaitable)))


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def _taken_async(step: Step) -> Answer:
    if step.mode == "inline":
        return taken(step.call)
    if step.mode == "thread":
        return await _taken_in_thread(step)
    if step.can_cancel:
        return await answered(step.call)
    return await _to_the_end(asyncio.ensure_future(answered(step.call)))


async def _taken_in_thread(step: Step) -> Answer:
    # Not to_thread(): its task would be cancelled, and left behind, when the loop closes.
    loop = asyncio.get_running_loop()
    context = copy_context()

    def work() -> Answer:
        return context.run(taken, step.call, loop)

    try:
        future = loop.run_in_executor(None, work)
    except RuntimeError as error:
        # The loop is closing and has no threads any more.
        return Answer(error=error)
    return await _to_the_end(future)


async def answered(call: Callable[[], Awaitable[Any]]) -> Answer:
    """Await one step; what it raises is its answer too."""
    try:
        return Answer(await call())
    except BaseException as error:  # noqa: BLE001 - claims are released on every one of them
        return Answer(error=error)


async def _to_the_end(future: Future[Answer]) -> Answer:
    cancelled = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
    try:
        answer = future.result()
    except BaseException as error:  # noqa: BLE001 - it was cancelled before it began
        answer = Answer(error=error)
    return answer._replace(cancelled=cancelled)
