"""``python -m dubhooks``: the command line."""

from .cli import main

main()
