"""Who and what one made-up event is about, the same in all of its objects."""

from __future__ import annotations

import random
import string
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Sample"]

ItemT = TypeVar("ItemT")

_BASE_62 = string.digits + string.ascii_letters
_BASE_32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_FIRST_SEEDED_MOMENT = datetime(2026, 1, 15, 12, tzinfo=timezone.utc)
_SEEDED_RANGE = timedelta(days=30)


def _milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


_START = _milliseconds(datetime.now(timezone.utc))
"""One moment for all seeded events of a process: in it the same seed gives the same bytes."""

# Non-ASCII names on purpose: a receiver that decodes or rewrites the body must show.
_PEOPLE = (
    ("Ada", "Okafor"),
    ("Ben", "Castellan"),
    ("Chloé", "Marchetti"),
    ("Jonas", "Weißmann"),
    ("Mei", "Tanaka"),
    ("Noor", "Haddad"),
    ("Zoë", "Lindqvist"),
)
_PLACES = (
    ("US", "Portland", "OR", "NA"),
    ("BR", "Curitiba", "PR", "SA"),
    ("MX", "Mérida", "YUC", "NA"),
    ("AU", "Hobart", "TAS", "OC"),
)


class Sample:
    """The values that the objects of one event share.

    With a seed, all but ``created_at`` follow from ``name`` and ``seed``.
    Without one, ids are random and ``now`` is the current time.

    Only ``random()`` draws numbers: what it returns for a seed is the same in
    every version of Python.
    """

    def __init__(self, name: str, seed: int | None) -> None:
        self._random = random.Random(None if seed is None else f"{name}:{seed}")
        if seed is None:
            now = datetime.now(timezone.utc)
        else:
            now = _FIRST_SEEDED_MOMENT + self._random.random() * _SEEDED_RANGE
        self.now = _milliseconds(now)
        self.created_at = self.now if seed is None else _START
        """When the event was made: never long ago, or a receiver would refuse it as too old."""

        self.workspace_id = self.id("ws")
        self.program_id = self.id("prog")
        self.group_id = self.id("grp")
        self.user_id = self.id("user")

        first, last = self.pick(_PEOPLE)
        self.partner_id = self.id("pn")
        self.partner_name = f"{first} {last}"
        self.partner_handle = f"partner-{self.number(1_000, 9_999)}"
        self.partner_email = f"{self.partner_handle}@example.com"
        self.partner_image = f"https://example.com/avatars/{self.partner_id}.png"
        self.partner_country = self.pick(_PLACES)[0]
        self.partner_site = f"https://{self.partner_handle}.example.com"
        self.tenant_id = f"user_{self.number(10_000, 99_999)}"

        first, last = self.pick(_PEOPLE)
        self.customer_id = self.id("cus")
        self.customer_name = f"{first} {last}"
        self.customer_external_id = f"customer_{self.number(10_000, 99_999)}"
        self.place = self.pick(_PLACES)

        self.link_id = self.id("link")
        self.domain = "go.example.com"
        self.key = self.partner_handle
        self.folder_id = self.id("fold")
        self.tag_id = self.id("tag")
        self.url = "https://example.com/pricing"
        self.click_id = self.token(16)

        self.amount = 100 * self.number(15, 250)
        self.earnings = self.amount * 3 // 10
        self.invoice_id = f"INV-{self.token(12)}"
        self.sales = self.number(2, 12)
        self.leads = 3 * self.sales + self.number(0, 5)
        self.clicks = 9 * self.leads + self.number(0, 50)

    @property
    def short_link(self) -> str:
        """The address of the link."""
        return f"https://{self.domain}/{self.key}"

    def pick(self, items: Sequence[ItemT]) -> ItemT:
        """Return one of ``items``."""
        return items[int(self._random.random() * len(items))]

    def number(self, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def token(self, length: int, alphabet: str = _BASE_62) -> str:
        """Return ``length`` characters of ``alphabet``."""
        return "".join([self.pick(alphabet) for _ in range(length)])

    def id(self, prefix: str) -> str:
        """Return an id in the form of Dub's newer ones: sortable base 32, 25 characters."""
        return f"{prefix}_1K{self.token(23, _BASE_32)}"

    def event_id(self) -> str:
        """Return an id of an event: 25 characters of base 62."""
        return f"evt_{self.token(25)}"

    def ago(self, *, days: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
        """Return a moment so long before ``now``, and up to a second more."""
        jitter = timedelta(milliseconds=self.number(0, 999))
        return self.now - timedelta(days=days, minutes=minutes, seconds=seconds) - jitter
