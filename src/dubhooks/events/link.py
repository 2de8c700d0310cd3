"""Links, in full and in short, and the four link events (Dub docs: webhook event types)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ._base import Count, Event, Items, Model, Open, Rate, Timestamp, key_of
from .click import Click

__all__ = [
    "Link",
    "LinkClicked",
    "LinkClickedData",
    "LinkCreated",
    "LinkDeleted",
    "LinkRef",
    "LinkTag",
    "LinkUpdated",
    "LinkVariant",
]


class LinkTag(Model, frozen=True):
    """A tag on a link."""

    id: str | None = None
    name: str | None = None
    color: (
        Annotated[
            Literal["red", "yellow", "green", "blue", "purple", "brown", "gray", "pink"] | str,
            Open(),
        ]
        | None
    ) = None


class LinkVariant(Model, frozen=True):
    """One destination of an A/B test."""

    __shown__: ClassVar[tuple[str, ...]] = ("percentage",)

    url: str | None = None
    percentage: Rate | None = None
    """Share of the traffic, 10 to 90."""


class LinkRef(Model, frozen=True):
    """A link in short, as in ``commission.created`` and in every postback."""

    id: str
    short_link: str | None = Field(default=None, alias="shortLink")
    domain: str | None = None
    key: str | None = None
    """The slug.  For some case-sensitive domains Dub sends its internal, encoded form."""


class Link(Model, frozen=True):
    """A short link.  Its counters include the event that reports it."""

    id: str
    """Opaque: ``link_…``, or a bare id for old links."""
    domain: str | None = None
    """Host of the short link, for example ``dub.sh``."""
    key: str | None = None
    """The slug; ``_root`` for the root of a domain; may contain ``/`` and non-ASCII."""
    url: str | None = None
    """The destination; may be an empty string (root links)."""
    track_conversion: bool | None = Field(default=None, alias="trackConversion")
    external_id: str | None = Field(default=None, alias="externalId")
    """Your own id of the link."""
    tenant_id: str | None = Field(default=None, alias="tenantId")
    program_id: str | None = Field(default=None, alias="programId")
    partner_id: str | None = Field(default=None, alias="partnerId")
    archived: bool | None = None
    expires_at: Timestamp | None = Field(default=None, alias="expiresAt")
    expired_url: str | None = Field(default=None, alias="expiredUrl")
    disabled_at: Timestamp | None = Field(default=None, alias="disabledAt")
    password: str | None = None
    """The link's password in plain text: a secret, never shown in ``repr``."""
    proxy: bool | None = None
    title: str | None = None
    description: str | None = None
    image: str | None = None
    video: str | None = None
    rewrite: bool | None = None
    do_index: bool | None = Field(default=None, alias="doIndex")
    ios: str | None = None
    android: str | None = None
    geo: dict[str, str | None] | None = None
    """Destination by country code."""
    public_stats: bool | None = Field(default=None, alias="publicStats")
    tags: Items[LinkTag] = Field(default_factory=list[LinkTag])
    folder_id: str | None = Field(default=None, alias="folderId")
    comments: str | None = None
    short_link: str | None = Field(default=None, alias="shortLink")
    qr_code: str | None = Field(default=None, alias="qrCode")
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None
    test_variants: list[LinkVariant] | None = Field(default=None, alias="testVariants")
    """The destinations of an A/B test, or ``None`` when there is no test."""
    test_started_at: Timestamp | None = Field(default=None, alias="testStartedAt")
    test_completed_at: Timestamp | None = Field(default=None, alias="testCompletedAt")
    user_id: str | None = Field(default=None, alias="userId")
    workspace_id: str | None = Field(default=None, alias="workspaceId")
    clicks: Count | None = None
    leads: Count | None = None
    conversions: Count | None = None
    """Absent from Dub's test events."""
    sales: Count | None = None
    sale_amount: Count | None = Field(default=None, alias="saleAmount")
    """Sum of the sales, in cents."""
    last_clicked: Timestamp | None = Field(default=None, alias="lastClicked")
    created_at: Timestamp | None = Field(default=None, alias="createdAt")
    updated_at: Timestamp | None = Field(default=None, alias="updatedAt")
    tag_id: str | None = Field(default=None, alias="tagId")
    """Deprecated: the id of the first of ``tags``."""
    project_id: str | None = Field(default=None, alias="projectId")
    """Deprecated: the workspace id, for old workspaces without ``ws_``."""
    webhook_ids: Items[str] = Field(default_factory=list[str], alias="webhookIds")
    """Deprecated: filled only when the API call behind the event named them."""


class LinkClickedData(Model, frozen=True):
    """What ``link.clicked`` reports."""

    __shown__: ClassVar[tuple[str, ...]] = ("click", "link")

    click: Click
    link: Link
    """The link; its counters may or may not include this click."""


class LinkCreated(Event, frozen=True):
    """A link was created.

    Dub sends nothing for bulk calls, imports, root links, partners' default links and
    links that the upsert call creates (Dub docs: webhooks introduction).
    """

    event: Literal["link.created"]
    data: Link


class LinkUpdated(Event, frozen=True):
    """A link was changed.  Dub sends nothing for bulk calls."""

    event: Literal["link.updated"]
    data: Link


class LinkDeleted(Event, frozen=True):
    """A link was deleted; ``data`` is its last state."""

    event: Literal["link.deleted"]
    data: Link


class LinkClicked(Event, frozen=True):
    """A link was clicked.

    Events arrive in bursts, in no order, up to minutes after the click.  Dub sends
    nothing for bots, and for a visitor's further clicks within an hour.
    """

    event: Literal["link.clicked"]
    data: LinkClickedData

    @property
    def natural_key(self) -> str | None:
        """``click:<click id>``: a click can come again under a new event id."""
        return key_of("click", self.data.click.id)
