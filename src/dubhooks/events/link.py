"""Links, in full and in short, and the four link events (Dub docs: webhook event types)."""

from typing import ClassVar, Literal

from pydantic import Field

from ._base import Event, Model, key_of
from ._fields import Count, Decisive, Flag, Items, Maybe, Number, OpenEnum, Text, Timestamp, Whole
from .click import Click


class LinkTag(Model, frozen=True):
    """A tag on a link."""

    id: str | None = None
    """The tag's id."""
    name: Maybe[str] = None
    """The tag's name."""
    color: Maybe[
        OpenEnum[Literal["red", "yellow", "green", "blue", "purple", "brown", "gray", "pink"]]
    ] = None
    """The tag's colour."""


class LinkVariant(Model, frozen=True):
    """One destination of an A/B test."""

    __shown__: ClassVar[tuple[str, ...]] = ("percentage",)

    url: Maybe[str] = None
    """The destination."""
    percentage: Maybe[Number] = None
    """Share of the traffic, 10 to 90."""


class LinkRef(Model, frozen=True):
    """A link in short, as in ``commission.created`` and in every postback."""

    id: str
    """Opaque: ``link_…``, or a bare id for old links."""
    short_link: Text = Field(default="", alias="shortLink")
    """The whole short link."""
    domain: Text = ""
    """Host of the short link."""
    key: Text = ""
    """The slug.  For some case-sensitive domains Dub sends its internal, encoded form."""


class Link(Model, frozen=True):
    """A short link.  Its counters include the event that reports it."""

    id: str
    """Opaque: ``link_…``, or a bare id for old links."""
    domain: Text = ""
    """Host of the short link, for example ``dub.sh``."""
    key: Text = ""
    """The slug; ``_root`` for the root of a domain; may contain ``/`` and non-ASCII."""
    url: Text = ""
    """The destination; may be an empty string (root links)."""
    track_conversion: Flag = Field(default=False, alias="trackConversion")
    """Whether leads and sales are counted."""
    external_id: str | None = Field(default=None, alias="externalId")
    """Your own id of the link."""
    tenant_id: str | None = Field(default=None, alias="tenantId")
    """Your own id of the user whose link it is."""
    program_id: str | None = Field(default=None, alias="programId")
    """The program of a partner's link, ``prog_…``."""
    partner_id: str | None = Field(default=None, alias="partnerId")
    """The partner whose link it is, ``pn_…``."""
    archived: Flag = False
    """Whether the link is archived."""
    expires_at: Maybe[Timestamp] = Field(default=None, alias="expiresAt")
    """When the link expires."""
    expired_url: Maybe[str] = Field(default=None, alias="expiredUrl")
    """Where it leads once it has expired."""
    disabled_at: Maybe[Timestamp] = Field(default=None, alias="disabledAt")
    """When the link was disabled."""
    password: Maybe[str] = None
    """The link's password in plain text: a secret, never shown in ``repr``."""
    proxy: Flag = False
    """Whether previews show ``title``, ``description`` and ``image``."""
    title: Maybe[str] = None
    """Title of the preview."""
    description: Maybe[str] = None
    """Text of the preview."""
    image: Maybe[str] = None
    """Address of the preview's picture."""
    video: Maybe[str] = None
    """Address of the preview's video."""
    rewrite: Flag = False
    """Whether the link masks the destination's address."""
    do_index: Flag = Field(default=False, alias="doIndex")
    """Whether search engines may list the link."""
    ios: Maybe[str] = None
    """Destination on iOS."""
    android: Maybe[str] = None
    """Destination on Android."""
    geo: Maybe[dict[str, str | None]] = None
    """Destination by country code."""
    public_stats: Flag = Field(default=False, alias="publicStats")
    """Whether anybody can see the link's statistics."""
    tags: Items[LinkTag] = Field(default_factory=list[LinkTag])
    """The tags on the link."""
    folder_id: str | None = Field(default=None, alias="folderId")
    """The folder that holds the link."""
    comments: Maybe[str] = None
    """Notes of the workspace."""
    short_link: Text = Field(default="", alias="shortLink")
    """The whole short link."""
    qr_code: Text = Field(default="", alias="qrCode")
    """Address of the QR code; the link in it is not percent-encoded."""
    utm_source: Maybe[str] = None
    """UTM parameter of the destination."""
    utm_medium: Maybe[str] = None
    """UTM parameter of the destination."""
    utm_campaign: Maybe[str] = None
    """UTM parameter of the destination."""
    utm_term: Maybe[str] = None
    """UTM parameter of the destination."""
    utm_content: Maybe[str] = None
    """UTM parameter of the destination."""
    test_variants: Items[LinkVariant] = Field(
        default_factory=list[LinkVariant], alias="testVariants"
    )
    """The destinations of an A/B test; empty when there is no test."""
    test_started_at: Maybe[Timestamp] = Field(default=None, alias="testStartedAt")
    """When the A/B test began."""
    test_completed_at: Maybe[Timestamp] = Field(default=None, alias="testCompletedAt")
    """When the A/B test ends or ended."""
    user_id: str | None = Field(default=None, alias="userId")
    """The user who created the link."""
    workspace_id: Decisive[str] = Field(default="", alias="workspaceId")
    """The workspace, ``ws_…``."""
    clicks: Count = 0
    """How often the link was clicked."""
    leads: Count = 0
    """How many leads it brought."""
    conversions: Maybe[Whole] = None
    """How many of its leads became customers.  Absent from Dub's test events."""
    sales: Count = 0
    """How many sales it brought."""
    sale_amount: Count = Field(default=0, alias="saleAmount")
    """Sum of the sales, in cents."""
    last_clicked: Maybe[Timestamp] = Field(default=None, alias="lastClicked")
    """When the link was last clicked."""
    created_at: Maybe[Timestamp] = Field(default=None, alias="createdAt")
    """When the link was created."""
    updated_at: Maybe[Timestamp] = Field(default=None, alias="updatedAt")
    """When the link was last changed."""
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
    """The click."""
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
