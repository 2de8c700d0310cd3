"""Discount codes of partners (Dub docs: discount_code.created)."""

from typing import ClassVar, Literal

from pydantic import Field

from ._base import Event, Model
from ._fields import Decisive, Filled, Maybe, OpenEnum, Timestamp, Whole


class Discount(Model, frozen=True):
    """What a code takes off."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "amount", "type")

    id: str
    """The discount's id."""
    amount: Whole | None = None
    """Percent for ``percentage``, cents for ``flat``."""
    type: Filled[OpenEnum[Literal["percentage", "flat"]]] = ""
    """How ``amount`` is meant."""
    max_duration: Maybe[Whole] = Field(default=None, alias="maxDuration")
    """In months; 0 means once, ``None`` unlimited."""
    provider: Filled[OpenEnum[Literal["stripe", "shopify", "custom"]]] = ""
    """Where the code works; with ``custom`` you create it yourself."""


class DiscountCode(Model, frozen=True):
    """A discount code of a partner."""

    id: str
    """``dcode_…``"""
    code: str
    """What a customer types."""
    partner_id: str = Field(alias="partnerId")
    """The partner whose code it is, ``pn_…``."""
    link_id: Decisive[str] = Field(default="", alias="linkId")
    """The link that the code counts for."""
    disabled_at: Maybe[Timestamp] = Field(default=None, alias="disabledAt")
    """Set on ``discount_code.deleted`` when the partner was banned or deactivated."""
    discount: Maybe[Discount] = None
    """``None`` when the discount was deleted."""


class DiscountCodeCreated(Event, frozen=True):
    """A code was created.  With a ``custom`` provider you must create it yourself."""

    event: Literal["discount_code.created"]
    data: DiscountCode


class DiscountCodeDeleted(Event, frozen=True):
    """A code was deleted or disabled.  With a ``custom`` provider you must do the same."""

    event: Literal["discount_code.deleted"]
    data: DiscountCode
