"""Store deliveries that fit no model, for later replay."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from .errors import DubhooksError

__all__ = ["DeadLetterDirectory", "DeadLetters"]

_CAN_FLUSH_DIRECTORIES = os.name == "posix"
_KEPT_HEADERS = ("content-type", "dub-signature", "x-dub-signature")


class DeadLetters(Protocol):
    """Where deliveries go that cannot be handled today."""

    def keep(self, body: bytes, headers: Mapping[str, str], error: DubhooksError) -> None:
        """Store one delivery durably.

        The reply is sent only after this returns.  An error leaves the delivery
        refused, so Dub sends it again; the same delivery may come several times.

        Args:
            body: the raw request body.
            headers: the request headers, with lower-case names.
            error: why the delivery was refused.
        """
        ...


class DeadLetterDirectory:
    """Dead letters as files, two per delivery: ``<name>.body`` and ``<name>.json``.

    The first holds the body byte for byte, the second the signature and the error's
    code: what ``dubhooks replay`` needs to send the delivery again.  Only their owner
    can read the files, because they hold personal data.  The name is the body's
    hash, so a delivery that comes again takes no more room.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Choose the directory; the first dead letter creates it.

        Args:
            path: the directory, on a disk that lasts.
        """
        self.path: Path = Path(path)

    def keep(self, body: bytes, headers: Mapping[str, str], error: DubhooksError) -> None:
        """Write one delivery, and flush it to the disk before this returns.

        Args:
            body: the raw request body.
            headers: the request headers, with lower-case names.
            error: why the delivery was refused.

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
        # The body goes first: a dead letter is complete once its .json is there.
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
    # A new file survives a power cut only once its directory was flushed too.
    if _CAN_FLUSH_DIRECTORIES:
        directory = os.open(path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
