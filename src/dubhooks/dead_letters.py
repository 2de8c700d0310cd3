"""Keeping deliveries that no model fits, so that they can be sent again."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .errors import DubhooksError

__all__ = ["DeadLetterDirectory", "DeadLetters"]

_CAN_FLUSH_DIRECTORIES = os.name == "posix"
_KEPT_HEADERS = ("content-type", "dub-signature", "x-dub-signature")


class DeadLetters(Protocol):
    """A place for deliveries that cannot be handled today."""

    def keep(self, body: bytes, headers: Mapping[str, str], error: DubhooksError) -> None:
        """Keep a delivery durably, or raise; the same one may come several times.

        ``headers`` have lower-case names.  The sender is told that all is well
        only after this returns.
        """
        ...


class DeadLetterDirectory:
    """Dead letters as files, two for each delivery: ``<name>.body`` and ``<name>.json``.

    The body is kept byte for byte and the other file holds the headers that
    matter and the error's code, so that ``dubhooks replay`` can send it again.
    Files are readable by their owner only: they hold personal data.  The name is
    the body's hash, so a delivery that comes again takes no more room.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def keep(self, body: bytes, headers: Mapping[str, str], error: DubhooksError) -> None:
        """Write the delivery, flushed to the disk before this returns.

        Raises:
            OSError: the directory cannot be written.
        """
        if not self.path.is_dir():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _flush_directory(self.path.parent)
        name = sha256(body).hexdigest()
        letter = {
            "headers": {key: headers[key] for key in _KEPT_HEADERS if key in headers},
            "error": error.code,
        }
        # The body goes first: a letter is there once its .json is.
        self._write(f"{name}.body", body)
        self._write(f"{name}.json", json.dumps(letter, indent=2).encode() + b"\n")
        _flush_directory(self.path)

    def _write(self, name: str, content: bytes) -> None:
        draft = self.path / f".{name}.{os.getpid()}.{os.urandom(4).hex()}"
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path / name)
        finally:
            draft.unlink(missing_ok=True)


def _flush_directory(path: Path) -> None:
    # A new name in a directory survives a power cut only when the directory was flushed too.
    if _CAN_FLUSH_DIRECTORIES:
        directory = os.open(path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
