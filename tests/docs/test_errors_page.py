"""The page with every outcome and every error code, compared with the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from dubhooks import errors
from dubhooks.reply import Outcome, find_outcome

TEXT = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")


def test_the_page_names_every_outcome() -> None:
    """The first table has a row for each outcome, and no other."""
    table = TEXT.split("## Outcomes")[1].split("## Error codes")[0]
    assert sorted(re.findall(r"(?m)^\| `(\w+)`", table)) == sorted(get_args(Outcome))


def test_the_page_names_every_error() -> None:
    """The second table has each class with its code, and the outcome that its code stands for."""
    rows = re.findall(r"(?m)^\| `(\w+)` \| `(\w+)` \| (\S+) \|", TEXT.split("## Error codes")[1])
    classes = [one for one in vars(errors).values() if isinstance(one, type)]
    kinds = {one for one in classes if issubclass(one, errors.DubhooksError)}
    assert sorted((code, name) for code, name, _ in rows) == sorted(
        (one.code, one.__name__) for one in kinds
    )
    told = {code: outcome.strip("`-") or None for code, _, outcome in rows}
    assert told == {one.code: find_outcome(one.code) for one in kinds}
