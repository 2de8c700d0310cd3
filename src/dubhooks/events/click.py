"""The click that led to an event (Dub docs: webhook event types)."""

from typing import Literal

from pydantic import Field

from ._base import Model
from ._fields import Flag, Maybe, OpenEnum, Text, Timestamp


class Click(Model, frozen=True):
    """A click on a short link.

    An unknown place or device is ``Unknown``, an unknown referrer ``(direct)``, and
    ``ip`` is an empty string for visitors from the EU.
    """

    id: str
    """The click id, the value of the ``dub_id`` cookie."""
    timestamp: Maybe[Timestamp] = None
    """When the click was made; in a sale, when the customer first clicked."""
    url: Text = ""
    """The destination; may be an empty string."""
    country: Text = ""
    """ISO 3166-1 alpha-2 code, or ``Unknown``."""
    city: Text = ""
    """Name, or ``Unknown``."""
    region: Text = ""
    """Subdivision code: text, even where it looks like a number."""
    continent: Text = ""
    """Two letters, an empty string, or ``Unknown``."""
    device: Text = ""
    """For example ``Desktop`` or ``Mobile``, or ``Unknown``."""
    browser: Text = ""
    """Name, or ``Unknown``."""
    os: Text = ""
    """Operating system, or ``Unknown``."""
    ua: Maybe[str] = None
    """The user agent, or ``Unknown``."""
    trigger: Maybe[OpenEnum[Literal["link", "qr", "pageview", "deeplink"]]] = None
    """What led to the click; may be empty for old clicks, absent from test events."""
    referer: Text = ""
    """Host name, or ``(direct)``."""
    referer_url: Text = Field(default="", alias="refererUrl")
    """Full URL, or ``(direct)``."""
    qr: Flag = False
    """Whether a QR code was scanned."""
    ip: Text = ""
    """IPv4, IPv6 or an empty string; personal data."""
