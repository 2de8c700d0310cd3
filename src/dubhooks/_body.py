"""Reading a request body: never more than ``max_body`` bytes, never for ever."""

from __future__ import annotations

from time import monotonic

from .errors import BodyTooLarge, BodyTooSlow

__all__ = ["READ_TIMEOUT", "BodyReader"]

READ_TIMEOUT = 30.0
"""Seconds for a whole body to arrive.  Dub's bodies are a few kilobytes."""


class BodyReader:
    """Collects the chunks of one body and refuses it as soon as it is too large or too late."""

    def __init__(self, max_body: int, content_length: str | None, timeout: float) -> None:
        """Raise ``BodyTooLarge`` at once when the announced length (in bytes) is too large."""
        self._max_body = max_body
        self._deadline = monotonic() + timeout
        self._chunks: list[bytes] = []
        self._size = 0
        # Anything but digits is not a length, and the chunks are counted anyway.  No length that
        # matters has 20 digits, and int() refuses thousands of them.
        length = content_length or ""
        self.announced = int(length[:20]) if length.isdecimal() else None
        """Bytes to come, when the request says so."""
        if self.announced is not None and self.announced > max_body:
            raise self._too_large()

    @property
    def seconds_left(self) -> float:
        """Seconds until the body is too late, at least 0."""
        return max(0.0, self._deadline - monotonic())

    def add(self, chunk: bytes) -> None:
        """Take one chunk.

        Raises:
            BodyTooLarge, BodyTooSlow: the body is refused.
        """
        self._size += len(chunk)
        if self._size > self._max_body:
            raise self._too_large()
        if monotonic() > self._deadline:
            raise self.too_slow()
        self._chunks.append(chunk)

    def body(self) -> bytes:
        """Return the chunks in one piece."""
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def too_slow(self) -> BodyTooSlow:
        """Return the error for a body that does not arrive in time."""
        return BodyTooSlow("the body did not arrive in time: it is not read any further")

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body has more than max_body={self._max_body} bytes")
