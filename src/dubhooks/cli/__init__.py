"""The ``dubhooks`` command (extra ``cli``).

Exit codes: 0 it is as it should be, 1 it is not, 2 wrong use.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["main"]

_NEEDED = ("typer", "rich", "httpx")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; ``arguments`` are those of the process by default."""
    if not all(map(find_spec, _NEEDED)):
        print("the command line needs more packages: pip install 'dubhooks[cli]'", file=sys.stderr)
        sys.exit(2)
    from ._app import run

    run(arguments)
