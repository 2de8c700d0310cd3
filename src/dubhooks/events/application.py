"""Applications to a program, under the old and the new event name."""

from typing import ClassVar, Literal

from pydantic import Field

from ._base import Event, Model, key_of
from ._fields import Filled, Items, Maybe, OpenEnum, Text, Timestamp
from .enrollment import EnrollmentStatus, NetworkStatus, PayoutMethod


class FormAnswer(Model, frozen=True):
    """One question of the application form and its answer."""

    __shown__: ClassVar[tuple[str, ...]] = ()

    label: Text = ""
    """The question."""
    value: Maybe[str] = None
    """``None`` for an empty answer and for an uploaded image."""


class ApplicationPartner(Model, frozen=True):
    """The partner who applied."""

    id: str
    """``pn_…``"""
    name: Text = ""
    """The partner's name."""
    company_name: Maybe[str] = Field(default=None, alias="companyName")
    """The partner's company."""
    email: Maybe[str] = None
    """The partner's e-mail address."""
    image: Maybe[str] = None
    """Address of the partner's picture."""
    description: Maybe[str] = None
    """What the partner says about themselves."""
    country: Maybe[str] = None
    """ISO 3166-1 alpha-2 code."""
    group_id: str | None = Field(default=None, alias="groupId")
    """The group that the partner applied to; absent when there was none."""
    status: Filled[EnrollmentStatus] = ""
    """``pending`` in practice."""
    website: Maybe[str] = None
    """The partner's website, if the form asks for it."""
    youtube: Maybe[str] = None
    """In ``partner.application_submitted`` what the partner typed, and only if the form asks for
    it; in ``program_application.created`` a cleaned-up handle."""
    twitter: Maybe[str] = None
    """Typed or cleaned up, as ``youtube``."""
    linkedin: Maybe[str] = None
    """Typed or cleaned up, as ``youtube``."""
    instagram: Maybe[str] = None
    """Typed or cleaned up, as ``youtube``."""
    tiktok: Maybe[str] = None
    """Typed or cleaned up, as ``youtube``."""


class Platform(Model, frozen=True):
    """A site or profile of a partner."""

    __shown__: ClassVar[tuple[str, ...]] = ("type",)

    type: Filled[
        OpenEnum[Literal["website", "youtube", "twitter", "linkedin", "instagram", "tiktok"]]
    ] = ""
    """The kind of site; several entries may have the same one."""
    identifier: Text = ""
    """A URL for a website, else a handle."""
    verified_at: Maybe[Timestamp] = Field(default=None, alias="verifiedAt")
    """``None`` when not verified."""


class ProgramApplicationPartner(ApplicationPartner, frozen=True):
    """The partner who applied, with more of the profile."""

    network_status: Maybe[NetworkStatus] = Field(default=None, alias="networkStatus")
    """The partner's standing in Dub's partner network."""
    default_payout_method: Maybe[PayoutMethod] = Field(default=None, alias="defaultPayoutMethod")
    """How the partner prefers to be paid."""
    payouts_enabled_at: Maybe[Timestamp] = Field(default=None, alias="payoutsEnabledAt")
    """Since when the partner can be paid."""
    platforms: Items[Platform] = Field(default_factory=list[Platform])
    """The partner's sites and profiles."""


class Application(Model, frozen=True):
    """An application, as ``partner.application_submitted`` reports it."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "partner")

    id: str
    """``pga_…``"""
    created_at: Maybe[Timestamp] = Field(default=None, alias="createdAt")
    """When the partner applied."""
    partner: ApplicationPartner
    """The partner who applied."""
    application_form_data: Items[FormAnswer] = Field(
        default_factory=list[FormAnswer], alias="applicationFormData"
    )
    """The answers in the application form."""


class ProgramApplication(Application, frozen=True):
    """An application, as ``program_application.created`` reports it."""

    partner: ProgramApplicationPartner


class PartnerApplicationSubmitted(Event, frozen=True):
    """Somebody applied to the program.

    Dub deprecated it for ``program_application.created`` and still sends both: a
    receiver of both gets every application twice, with the same natural key.
    """

    event: Literal["partner.application_submitted"]
    data: Application

    @property
    def natural_key(self) -> str | None:
        """``application:<application id>``, the same for both application events."""
        return key_of("application", self.data.id)


class ProgramApplicationCreated(Event, frozen=True):
    """Somebody applied to the program.  ``partner.enrolled`` can follow at once."""

    event: Literal["program_application.created"]
    data: ProgramApplication

    @property
    def natural_key(self) -> str | None:
        """``application:<application id>``, the same for both application events."""
        return key_of("application", self.data.id)
