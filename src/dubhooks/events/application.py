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
    value: Maybe[str] = None
    """``None`` for an empty answer and for an uploaded image."""


class ApplicationPartner(Model, frozen=True):
    """The partner who applied."""

    id: str
    name: Text = ""
    company_name: Maybe[str] = Field(default=None, alias="companyName")
    email: Maybe[str] = None
    image: Maybe[str] = None
    description: Maybe[str] = None
    country: Maybe[str] = None
    group_id: str | None = Field(default=None, alias="groupId")
    status: Filled[EnrollmentStatus] = ""
    """``pending`` in practice."""
    website: Maybe[str] = None
    youtube: Maybe[str] = None
    """In ``partner.application_submitted`` raw input, and only if the form asks for it; in
    ``program_application.created`` a cleaned-up handle.  The same goes for the four below."""
    twitter: Maybe[str] = None
    linkedin: Maybe[str] = None
    instagram: Maybe[str] = None
    tiktok: Maybe[str] = None


class Platform(Model, frozen=True):
    """A site or profile of a partner."""

    __shown__: ClassVar[tuple[str, ...]] = ("type",)

    type: Filled[
        OpenEnum[Literal["website", "youtube", "twitter", "linkedin", "instagram", "tiktok"]]
    ] = ""
    identifier: Text = ""
    """A URL for a website, else a handle."""
    verified_at: Maybe[Timestamp] = Field(default=None, alias="verifiedAt")
    """``None`` when not verified."""


class ProgramApplicationPartner(ApplicationPartner, frozen=True):
    """The partner who applied, with more of the profile."""

    network_status: Maybe[NetworkStatus] = Field(default=None, alias="networkStatus")
    default_payout_method: Maybe[PayoutMethod] = Field(default=None, alias="defaultPayoutMethod")
    payouts_enabled_at: Maybe[Timestamp] = Field(default=None, alias="payoutsEnabledAt")
    platforms: Items[Platform] = Field(default_factory=list[Platform])


class Application(Model, frozen=True):
    """An application, as ``partner.application_submitted`` reports it."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "partner")

    id: str
    """``pga_…``"""
    created_at: Maybe[Timestamp] = Field(default=None, alias="createdAt")
    """When the partner applied."""
    partner: ApplicationPartner
    application_form_data: Items[FormAnswer] = Field(
        default_factory=list[FormAnswer], alias="applicationFormData"
    )


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
