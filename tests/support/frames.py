"""What error trackers send of an error: the local variables of every frame it passed."""

from __future__ import annotations

from types import TracebackType


def variables_that_show(error: BaseException, *marks: str) -> list[str]:
    """Return our variables that show one of ``marks``, in ``error`` and in what caused it.

    Error trackers take ``repr`` of everything but containers, whose own ``repr`` does that.
    """
    shown: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        shown += _in_traceback(current.__traceback__, marks)
        current = current.__cause__ or current.__context__
    return shown


def _in_traceback(traceback: TracebackType | None, marks: tuple[str, ...]) -> list[str]:
    shown: list[str] = []
    while traceback is not None:
        frame = traceback.tb_frame
        module = frame.f_globals.get("__name__", "")
        # The testing clients are the caller, who has the body anyway.
        if module.startswith("dubhooks.") and not module.startswith("dubhooks.testing"):
            shown += [
                f"{module}.{frame.f_code.co_name}: {name}"
                for name, value in frame.f_locals.items()
                if any(mark in repr(value) for mark in marks)
            ]
        traceback = traceback.tb_next
    return shown
