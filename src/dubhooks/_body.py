"""A request's body and headers, and reading a body: never too much of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import BodyIncomplete, BodyTooLarge

if TYPE_CHECKING:
    from ._headers import Headers


READ_TIMEOUT = 10.0
"""Seconds for a whole body to arrive.  Dub's bodies are a few kilobytes."""


class Request:
    """The body and headers of one request, as an adapter hands them over.

    Error trackers send the local variables of every frame, so an entrance puts
    what it was given in here and deletes its arguments: this ``repr`` shows nothing.
    """

    __slots__ = ("body", "headers")

    def __init__(self, body: bytes, headers: Headers) -> None:
        self.body: bytes = body
        self.headers: Headers = headers

    def __repr__(self) -> str:
        return "<Request>"


class BodyReader:
    """Collects the chunks of one body and refuses it as soon as it is too large."""

    def __init__(self, max_body: int, content_length: str | None) -> None:
        """Begin a body.

        Args:
            max_body: the most bytes to accept.
            content_length: the header of that name.

        Raises:
            BodyTooLarge: more is announced.
        """
        self._max_body = max_body
        self._chunks: list[bytes] = []
        self.size = 0
        """Bytes that have arrived."""
        # Anything but digits is not a length, and the chunks are counted anyway.  No length that
        # matters has 20 digits, and int() refuses thousands of them.
        length = content_length or ""
        self.announced = int(length[:20]) if length.isdecimal() else None
        """Bytes to come, when the request says so."""
        if self.announced is not None and self.announced > max_body:
            raise self._too_large_error()

    def add(self, chunk: bytes) -> None:
        """Take one chunk.

        Raises:
            BodyTooLarge: the body is larger than ``max_body``.
        """
        self.size += len(chunk)
        if self.size <= self._max_body:
            self._chunks.append(chunk)
            return
        del chunk  # error trackers send the variables of a frame that raises
        raise self._too_large_error()

    def take(self) -> bytes:
        """Return the body in one piece, and keep nothing of it.

        Raises:
            BodyIncomplete: it has less than was announced; of an empty one, something in
                between has most likely read it all.
        """
        chunks, self._chunks = self._chunks, []
        if self.announced is not None and 0 < self.size < self.announced:
            del chunks
            raise BodyIncomplete("the body ended before the announced length: the client hung up")
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _too_large_error(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body has more than max_body={self._max_body} bytes")

    def __repr__(self) -> str:
        return f"<BodyReader of {self.size} bytes>"
