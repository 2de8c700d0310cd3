"""What an error tracker sends: the local variables of every frame of ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import CoroutineType, FrameType
from typing import Any


def find_leaks(frames: Iterator[FrameType], markers: tuple[str, ...]) -> list[str]:
    """Return where a local variable of ours shows one of ``markers``, such as ``handle.body``."""
    found: list[str] = []
    for frame in frames:
        module = frame.f_globals.get("__name__", "")
        if module.split(".")[0] != "dubhooks" or module.startswith("dubhooks.testing"):
            continue
        for name, value in dict(frame.f_locals).items():
            # The repr of a list, a tuple or a dict has those of what is in it.
            if any(marker in repr(value) for marker in markers):
                found.append(f"{module}.{frame.f_code.co_name}.{name}")
    return found


def variables_that_show(error: BaseException, *markers: str) -> list[str]:
    """Return our variables that show one of ``markers``, in ``error`` and in what caused it."""
    return find_leaks(frames_of_error(error), markers)


def frames_of_error(error: BaseException) -> Iterator[FrameType]:
    """Yield the frames that an error came through, and those of the errors behind it."""
    linked: list[BaseException | None] = [error]
    for one in linked:
        if one is None:
            continue
        traceback = one.__traceback__
        while traceback is not None:
            yield traceback.tb_frame
            traceback = traceback.tb_next
        linked += [one.__cause__, one.__context__]


def frames_of_caller() -> Iterator[FrameType]:
    """Yield the frames that led here."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def frames_of_coroutine(coroutine: Any) -> Iterator[FrameType]:
    """Yield the frames of a coroutine that waits, and of those that it waits for."""
    while isinstance(coroutine, CoroutineType):
        if coroutine.cr_frame is not None:
            yield coroutine.cr_frame
        coroutine = coroutine.cr_await
