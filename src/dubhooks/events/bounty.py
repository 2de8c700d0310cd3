"""Bounties (Dub docs: bounty.created)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ._base import Event, Model
from ._fields import MOST_ITEMS, Filled, Items, Maybe, Number, OpenEnum, Timestamp, Whole

_Names = Annotated[list[str], Field(max_length=MOST_ITEMS)]


class ObjectRef(Model, frozen=True):
    """A reference by id."""

    id: str
    """The object's id."""


class PerformanceCondition(Model, frozen=True):
    """The condition that a partner must meet."""

    __shown__: ClassVar[tuple[str, ...]] = ("attribute", "operator", "value")

    attribute: Maybe[
        OpenEnum[Literal["totalLeads", "totalConversions", "totalSaleAmount", "totalCommissions"]]
    ] = None
    """The total of the partner that counts."""
    operator: Maybe[OpenEnum[Literal["gte"]]] = None
    """How it is compared with ``value``."""
    value: Maybe[Number] = None
    """In cents for ``totalSaleAmount`` and ``totalCommissions``."""


class ImageRequirement(Model, frozen=True):
    """Images to submit."""

    __shown__: ClassVar[tuple[str, ...]] = ("max",)

    max: Maybe[Whole] = None
    """The most images."""


class UrlRequirement(Model, frozen=True):
    """URLs to submit."""

    __shown__: ClassVar[tuple[str, ...]] = ("max",)

    max: Maybe[Whole] = None
    """The most URLs."""
    domains: Items[str] = Field(default_factory=list[str])
    """The domains that they may be of."""


class IncrementalBonus(Model, frozen=True):
    """The bonus for each further step of a metric."""

    __shown__: ClassVar[tuple[str, ...]] = ("increment_count", "bonus_per_increment", "max_count")

    increment_count: Maybe[Whole] = Field(default=None, alias="incrementCount")
    """How large a step is, in units of the metric."""
    bonus_per_increment: Maybe[Number] = Field(default=None, alias="bonusPerIncrement")
    """In cents."""
    max_count: Maybe[Whole] = Field(default=None, alias="maxCount")
    """Up to which number there is a bonus."""


class SocialMetrics(Model, frozen=True):
    """The numbers that a post must reach."""

    __shown__: ClassVar[tuple[str, ...]] = ("platform", "metric", "min_count")

    platform: Maybe[OpenEnum[Literal["youtube", "tiktok", "instagram", "twitter", "linkedin"]]] = (
        None
    )
    """Where the post is."""
    metric: Maybe[OpenEnum[Literal["views", "likes"]]] = None
    """What counts."""
    min_count: Maybe[Whole] = Field(default=None, alias="minCount")
    """The least number to reach."""
    incremental_bonus: Maybe[IncrementalBonus] = Field(default=None, alias="incrementalBonus")
    """The bonus for what goes beyond it."""


class SubmissionRequirements(Model, frozen=True):
    """What a submission must contain; ``None`` is not asked for."""

    __shown__: ClassVar[tuple[str, ...]] = ("image", "url", "social_metrics")

    image: Maybe[ImageRequirement] = None
    """Images to submit."""
    url: Maybe[UrlRequirement] = None
    """URLs to submit."""
    social_metrics: Maybe[SocialMetrics] = Field(default=None, alias="socialMetrics")
    """Numbers that a post must reach."""


class Bounty(Model, frozen=True):
    """A task that partners are paid for."""

    id: str
    """``bnty_…``"""
    name: Maybe[str] = None
    """The title that partners see."""
    description: Maybe[str] = None
    """What partners are asked to do."""
    type: Filled[OpenEnum[Literal["performance", "submission"]]] = ""
    """Rewarded for performance, or for what partners submit."""
    starts_at: Maybe[Timestamp] = Field(default=None, alias="startsAt")
    """``None`` when ``start_mode`` is ``relative``."""
    ends_at: Maybe[Timestamp] = Field(default=None, alias="endsAt")
    """The end; ``None`` for a bounty without one."""
    start_mode: Maybe[OpenEnum[Literal["absolute", "relative"]]] = Field(
        default=None, alias="startMode"
    )
    """``relative``: the bounty starts for each partner by itself."""
    ends_after_days: Maybe[Whole] = Field(default=None, alias="endsAfterDays")
    """Days from a partner's start to the end."""
    submissions_open_at: Maybe[Timestamp] = Field(default=None, alias="submissionsOpenAt")
    """When partners can begin to submit."""
    submission_frequency: Maybe[OpenEnum[Literal["day", "week", "month"]]] = Field(
        default=None, alias="submissionFrequency"
    )
    """How often a partner may submit."""
    max_submissions: Maybe[Whole] = Field(default=None, alias="maxSubmissions")
    """How often a partner may submit in all; at least 1."""
    reward_amount: Maybe[Whole] = Field(default=None, alias="rewardAmount")
    """In USD cents."""
    reward_description: Maybe[str] = Field(default=None, alias="rewardDescription")
    """The reward in words."""
    performance_condition: Maybe[PerformanceCondition] = Field(
        default=None, alias="performanceCondition"
    )
    """In ``bounty.updated`` the *old* value, if this update changed it."""
    performance_scope: Maybe[OpenEnum[Literal["new", "lifetime"]]] = Field(
        default=None, alias="performanceScope"
    )
    """Whether what a partner did before counts."""
    submission_requirements: Maybe[SubmissionRequirements | _Names] = Field(
        default=None, alias="submissionRequirements"
    )
    """A list such as ``["image", "url"]`` in events older than 2025-12-23."""
    social_metrics_last_synced_at: Maybe[Timestamp] = Field(
        default=None, alias="socialMetricsLastSyncedAt"
    )
    """When Dub last counted the metrics of posts."""
    groups: Items[ObjectRef] = Field(default_factory=list[ObjectRef])
    """The partner groups that may take part; empty means all."""
    partner_tags: Items[ObjectRef] = Field(default_factory=list[ObjectRef], alias="partnerTags")
    """The tags of partners that may take part."""


class BountyCreated(Event, frozen=True):
    """A bounty was created."""

    event: Literal["bounty.created"]
    data: Bounty


class BountyUpdated(Event, frozen=True):
    """A bounty was changed.  Dub sends nothing when one is deleted."""

    event: Literal["bounty.updated"]
    data: Bounty
