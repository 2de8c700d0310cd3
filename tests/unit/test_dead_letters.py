"""Dead letters as files: byte for byte, durable, private, never half there."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from dubhooks import DeadLetterDirectory, InvalidEvent, dead_letters

BODY = b'{"id": "evt_1",\r\n  "event":\t"sale.created", "data": "\xc3\xa9\xff\x00"}'
HEADERS = {
    "content-type": "application/json",
    "dub-signature": "ab" * 32,
    "x-dub-signature": "cd" * 32,
    "authorization": "Bearer secret",
    "cookie": "session=secret",
}
ERROR = InvalidEvent("sale.created", "evt_1", ())


def mode_of(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def names_in(path: Path) -> list[str]:
    """Return the names of the files in a directory."""
    return sorted(os.listdir(path))


def test_what_is_kept(tmp_path: Path) -> None:
    """A letter is the body byte for byte, the headers that matter and the error's code."""
    DeadLetterDirectory(tmp_path).keep(BODY, HEADERS, ERROR)
    [name] = {path.stem for path in tmp_path.iterdir()}
    assert names_in(tmp_path) == [f"{name}.body", f"{name}.json"]
    assert (tmp_path / f"{name}.body").read_bytes() == BODY
    assert json.loads((tmp_path / f"{name}.json").read_text()) == {
        "headers": {name: HEADERS[name] for name in list(HEADERS)[:3]},
        "error": "invalid_event",
    }


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    """Letters hold personal data, so nobody else may read them or list them."""
    directory = tmp_path / "a" / "letters"
    before = os.umask(0)
    try:
        DeadLetterDirectory(str(directory)).keep(BODY, HEADERS, ERROR)
    finally:
        os.umask(before)
    assert mode_of(directory) == 0o700
    assert {mode_of(path) for path in directory.iterdir()} == {0o600}


def test_the_same_delivery_twice(tmp_path: Path) -> None:
    """A delivery that comes again takes no more room, another one does."""
    letters = DeadLetterDirectory(tmp_path)
    letters.keep(BODY, HEADERS, ERROR)
    first = names_in(tmp_path)
    letters.keep(BODY, HEADERS, ERROR)
    assert names_in(tmp_path) == first
    letters.keep(BODY + b" ", HEADERS, ERROR)
    assert len(names_in(tmp_path)) == 4


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_nothing_half_written(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails in between, no file is left that looks like a letter, or any at all."""

    def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fails)
    else:
        monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="No space"):
        DeadLetterDirectory(tmp_path).keep(BODY, HEADERS, ERROR)
    assert names_in(tmp_path) == []


def test_everything_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is flushed to the disk, and the body has its name first: a json means a whole letter."""
    flushed: list[str] = []
    flush, replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        flushed.append("draft" if path.name.startswith(".") else path.name)
        flush(descriptor)

    def rename(draft: Path, name: Path) -> Path:
        flushed.append(name.suffix)
        return replace(draft, name)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    letters = DeadLetterDirectory(tmp_path / "letters")
    letters.keep(BODY, HEADERS, ERROR)
    assert flushed == [tmp_path.name, "draft", ".body", "draft", ".json", "letters"]
    letters.keep(BODY, HEADERS, ERROR)
    assert flushed[6:] == flushed[1:6]


def test_where_directories_cannot_be_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a system that cannot open a directory, a letter is kept all the same."""
    monkeypatch.setattr(dead_letters, "_CAN_FLUSH_DIRECTORIES", False)
    opened: list[Any] = []
    open_file = os.open

    def noted(path: Any, flags: int, mode: int = 0o777) -> int:
        opened.append(path)
        return open_file(path, flags, mode)

    monkeypatch.setattr(os, "open", noted)
    DeadLetterDirectory(tmp_path).keep(BODY, HEADERS, ERROR)
    assert len(opened) == 2
    assert tmp_path not in opened
