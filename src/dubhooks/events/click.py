"""The click that led to an event (Dub docs: webhook event types)."""

from typing import Annotated, Literal

from pydantic import Field

from ._base import Model, Open, Timestamp

__all__ = ["Click"]


class Click(Model, frozen=True):
    """A click on a short link.

    An unknown place or device is ``Unknown``, an unknown referrer ``(direct)``, and
    ``ip`` is an empty string for visitors from the EU.
    """

    id: str
    """The click id, the value of the ``dub_id`` cookie."""
    timestamp: Timestamp | None = None
    """When the click was made; in a sale, when the customer first clicked."""
    url: str | None = None
    """The destination; may be an empty string."""
    country: str | None = None
    """ISO 3166-1 alpha-2 code, or ``Unknown``."""
    city: str | None = None
    region: str | None = None
    """Subdivision code: text, even where it looks like a number."""
    continent: str | None = None
    """Two letters, an empty string, or ``Unknown``."""
    device: str | None = None
    browser: str | None = None
    os: str | None = None
    ua: str | None = None
    """The user agent, or ``Unknown``."""
    trigger: Annotated[Literal["link", "qr", "pageview", "deeplink"] | str, Open()] | None = None
    """What led to the click; may be empty for old clicks, absent from test events."""
    referer: str | None = None
    """Host name, or ``(direct)``."""
    referer_url: str | None = Field(default=None, alias="refererUrl")
    """Full URL, or ``(direct)``."""
    qr: bool | None = None
    ip: str | None = None
    """IPv4, IPv6 or an empty string; personal data."""
