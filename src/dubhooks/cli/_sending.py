"""Sending deliveries over HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from time import perf_counter
from typing import TYPE_CHECKING

import httpx

from ._output import wrong_use

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["Answer", "Sender", "checked_url", "shown_url"]

_KEPT = 65_536


@dataclass(frozen=True)
class Answer:
    """What an endpoint answered; without ``status`` it did not."""

    status: int | None
    seconds: float
    """From the first byte sent to the last one received."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Lower-case names."""
    body: bytes = b""
    """At most the first 64 kB."""
    problem: str = ""
    """Why there is no answer."""
    refused: bool = False
    """There is no connection at all."""


class Sender:
    """A client for one endpoint.  Threads may share it."""

    def __init__(self, url: str, *, timeout: float = 30.0, connections: int = 1) -> None:
        """``timeout``: seconds to wait for the connection and between bytes."""
        self.url = url
        self._client = httpx.Client(
            timeout=timeout,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            # A proxy of the environment knows nothing of this machine's ports.
            trust_env=not _is_loopback(url),
            headers={"User-Agent": "dubhooks"},
        )

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def send(self, body: bytes, headers: Mapping[str, str], *, method: str = "POST") -> Answer:
        """Send one request; redirects are not followed, as Dub's queue does not either."""
        # As bytes: httpx refuses text that is not ASCII, and such a header must be sendable.
        pairs = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
        ]
        started = perf_counter()
        try:
            with self._client.stream(method, self.url, content=body, headers=pairs) as response:
                kept = bytearray()
                for chunk in response.iter_bytes():
                    kept += chunk[: _KEPT - len(kept)]
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Answer(
                None,
                perf_counter() - started,
                problem=_described(error),
                refused=isinstance(error, httpx.ConnectError),
            )
        return Answer(
            response.status_code, perf_counter() - started, dict(response.headers), bytes(kept)
        )


def checked_url(url: str) -> str:
    """Return ``url``, or exit with code 2 when it is not one of http or https."""
    try:
        parsed = httpx.URL(url)
        good = parsed.scheme in ("http", "https") and bool(parsed.host)
        good = good and (parsed.port is None or 0 < parsed.port < 65_536)
    except (httpx.InvalidURL, UnicodeError):
        good = False
    if not good:
        # Where the credentials end is not clear in what is no URL, so nothing before an @ is shown.
        shown = re.sub(r"^([a-z]+://)?.*@", r"\1***@", url, flags=re.IGNORECASE | re.DOTALL)
        raise wrong_use(f"{shown!r} is not an http or https URL")
    return url


def shown_url(url: str) -> str:
    """Return a good ``url`` without the user name and password in it, to be printed."""
    return re.sub(r"//[^/?#]*@", "//***@", url, count=1)


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _described(error: httpx.HTTPError | httpx.InvalidURL) -> str:
    if isinstance(error, httpx.ConnectError):
        return f"cannot connect ({error})"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
