"""Sending deliveries over HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from time import perf_counter

import httpx

from ..reply import Outcome
from ._answers import explain_answer
from ._output import wrong_use

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

    @property
    def accepted(self) -> bool:
        """Dub's queue takes the answer for success: 2xx, nothing else."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def outcome(self) -> Outcome | None:
        """What became of the delivery, if a receiver of dubhooks told it."""
        return explain_answer(self.status, self.body).outcome

    @property
    def advice(self) -> str | None:
        """What to do; ``None`` for a success."""
        return explain_answer(self.status, self.body).advice


class Sender:
    """A client for one endpoint.  Threads may share it."""

    def __init__(self, url: str, *, timeout: float = 30.0, connections: int = 1) -> None:
        """``timeout``: seconds to wait for the connection and between bytes."""
        self.url = url
        self._client = httpx.Client(
            timeout=timeout,
            # A new one each time: the server may have closed what an earlier delivery left open.
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=0),
            # A proxy of the environment knows nothing of this machine's ports.
            trust_env=not _is_loopback(url),
            headers={"User-Agent": "dubhooks"},
        )

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def send(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST once; redirects are not followed, as Dub's queue does not either."""
        # As bytes: httpx refuses text that is not ASCII, and such a header must be sendable.
        pairs = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
        ]
        kept = bytearray()
        started = perf_counter()
        try:
            with self._client.stream("POST", self.url, content=body, headers=pairs) as response:
                for chunk in response.iter_bytes():
                    kept += chunk[: _KEPT - len(kept)]
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            refused = isinstance(error, httpx.ConnectError)
            seconds = perf_counter() - started
            return Answer(None, seconds, problem=_describe(error), refused=refused)
        seconds = perf_counter() - started
        return Answer(response.status_code, seconds, dict(response.headers), bytes(kept))


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


def tamper(body: bytes) -> bytes:
    """Return ``body`` with another id, if there is one, so that it stays JSON."""
    changed = body.replace(b'"id":"', b'"id":"x', 1)
    return changed if changed != body else body + b" "


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _describe(error: httpx.HTTPError | httpx.InvalidURL) -> str:
    if isinstance(error, httpx.ConnectError):
        # Else its name or its certificate is wrong, as the text says.
        hint = ": nothing listens there" if "refused" in str(error) else ""
        return f"cannot connect ({error}){hint}"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
