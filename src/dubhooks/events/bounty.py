"""Bounties (Dub docs: bounty.created)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ._base import Event, Integer, Items, Model, Number, Open, Timestamp

__all__ = [
    "Bounty",
    "BountyCreated",
    "BountyUpdated",
    "ImageRequirement",
    "IncrementalBonus",
    "ObjectRef",
    "PerformanceCondition",
    "SocialMetrics",
    "SubmissionRequirements",
    "UrlRequirement",
]


class ObjectRef(Model, frozen=True):
    """A reference by id."""

    id: str


class PerformanceCondition(Model, frozen=True):
    """The condition that a partner must meet."""

    __shown__: ClassVar[tuple[str, ...]] = ("attribute", "operator", "value")

    attribute: (
        Annotated[
            Literal["totalLeads", "totalConversions", "totalSaleAmount", "totalCommissions"] | str,
            Open(),
        ]
        | None
    ) = None
    operator: Annotated[Literal["gte"] | str, Open()] | None = None
    value: Number | None = None
    """In cents for ``totalSaleAmount`` and ``totalCommissions``."""


class ImageRequirement(Model, frozen=True):
    """Images to submit."""

    __shown__: ClassVar[tuple[str, ...]] = ("max",)

    max: Integer | None = None


class UrlRequirement(Model, frozen=True):
    """URLs to submit."""

    __shown__: ClassVar[tuple[str, ...]] = ("max",)

    max: Integer | None = None
    domains: list[str] | None = None


class IncrementalBonus(Model, frozen=True):
    """The bonus for each further step of a metric."""

    __shown__: ClassVar[tuple[str, ...]] = ("increment_count", "bonus_per_increment", "max_count")

    increment_count: Integer | None = Field(default=None, alias="incrementCount")
    bonus_per_increment: Number | None = Field(default=None, alias="bonusPerIncrement")
    """In cents."""
    max_count: Integer | None = Field(default=None, alias="maxCount")


class SocialMetrics(Model, frozen=True):
    """The numbers that a post must reach."""

    __shown__: ClassVar[tuple[str, ...]] = ("platform", "metric", "min_count")

    platform: (
        Annotated[Literal["youtube", "tiktok", "instagram", "twitter", "linkedin"] | str, Open()]
        | None
    ) = None
    metric: Annotated[Literal["views", "likes"] | str, Open()] | None = None
    min_count: Integer | None = Field(default=None, alias="minCount")
    incremental_bonus: IncrementalBonus | None = Field(default=None, alias="incrementalBonus")


class SubmissionRequirements(Model, frozen=True):
    """What a submission must contain; ``None`` is not asked for."""

    __shown__: ClassVar[tuple[str, ...]] = ("image", "url", "social_metrics")

    image: ImageRequirement | None = None
    url: UrlRequirement | None = None
    social_metrics: SocialMetrics | None = Field(default=None, alias="socialMetrics")


class Bounty(Model, frozen=True):
    """A task that partners are paid for."""

    id: str
    """``bnty_…``"""
    name: str | None = None
    description: str | None = None
    type: Annotated[Literal["performance", "submission"] | str, Open()] | None = None
    starts_at: Timestamp | None = Field(default=None, alias="startsAt")
    """``None`` when ``start_mode`` is ``relative``."""
    ends_at: Timestamp | None = Field(default=None, alias="endsAt")
    start_mode: Annotated[Literal["absolute", "relative"] | str, Open()] | None = Field(
        default=None, alias="startMode"
    )
    ends_after_days: Integer | None = Field(default=None, alias="endsAfterDays")
    submissions_open_at: Timestamp | None = Field(default=None, alias="submissionsOpenAt")
    submission_frequency: Annotated[Literal["day", "week", "month"] | str, Open()] | None = Field(
        default=None, alias="submissionFrequency"
    )
    max_submissions: Integer | None = Field(default=None, alias="maxSubmissions")
    reward_amount: Integer | None = Field(default=None, alias="rewardAmount")
    """In USD cents."""
    reward_description: str | None = Field(default=None, alias="rewardDescription")
    performance_condition: PerformanceCondition | None = Field(
        default=None, alias="performanceCondition"
    )
    """In ``bounty.updated`` the *old* value, if this update changed it."""
    performance_scope: Annotated[Literal["new", "lifetime"] | str, Open()] | None = Field(
        default=None, alias="performanceScope"
    )
    submission_requirements: SubmissionRequirements | list[str] | None = Field(
        default=None, alias="submissionRequirements"
    )
    """A list such as ``["image", "url"]`` in events older than 2025-12-23."""
    social_metrics_last_synced_at: Timestamp | None = Field(
        default=None, alias="socialMetricsLastSyncedAt"
    )
    groups: Items[ObjectRef] = Field(default_factory=list[ObjectRef])
    """The partner groups that may take part; empty means all."""
    partner_tags: Items[ObjectRef] = Field(default_factory=list[ObjectRef], alias="partnerTags")


class BountyCreated(Event, frozen=True):
    """A bounty was created."""

    event: Literal["bounty.created"]
    data: Bounty


class BountyUpdated(Event, frozen=True):
    """A bounty was changed.  Dub sends nothing when one is deleted."""

    event: Literal["bounty.updated"]
    data: Bounty
