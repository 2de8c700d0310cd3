"""Messages from partners (Dub docs: message.received)."""

from typing import ClassVar, Literal

from pydantic import Field

from ._base import Event, Model, key_of
from ._fields import Items, Maybe, OpenEnum, Text, Timestamp, Whole


class MessageAttachment(Model, frozen=True):
    """A file attached to a message.  The partner chose every value."""

    __shown__: ClassVar[tuple[str, ...]] = ("size", "type")

    name: Maybe[str] = None
    """The file's name; do not use it as a path."""
    size: Maybe[Whole] = None
    """In bytes."""
    type: Maybe[str] = None
    """MIME type."""
    url: Maybe[str] = None
    """A presigned download link that works for an hour: a secret, never shown in ``repr``."""


class MessagePartner(Model, frozen=True):
    """The partner who wrote."""

    id: str | None = None
    """``pn_…``; optional, because only one printed example shows it."""
    name: Maybe[str] = None
    """The partner's name."""
    email: Maybe[str] = None
    """The partner's e-mail address."""
    image: Maybe[str] = None
    """Address of the partner's picture."""


class Message(Model, frozen=True):
    """A message."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "partner")

    id: str
    """``msg_…``"""
    text: Text = ""
    """Empty when the message has attachments only."""
    read_in_app: Maybe[Timestamp] = Field(default=None, alias="readInApp")
    """When the team read it in the dashboard; ``None`` means unread."""
    read_in_email: Maybe[Timestamp] = Field(default=None, alias="readInEmail")
    """When the team read it as e-mail; ``None`` means unread."""
    created_at: Maybe[Timestamp] = Field(default=None, alias="createdAt")
    """When the partner sent it."""
    updated_at: Maybe[Timestamp] = Field(default=None, alias="updatedAt")
    """When it was last changed."""
    attachments: Items[MessageAttachment] = Field(default_factory=list[MessageAttachment])
    """The files attached, at most 5."""
    source_type: Maybe[OpenEnum[Literal["partner"]]] = Field(default=None, alias="sourceType")
    """Who wrote: the partner."""
    partner: MessagePartner | None = None
    """The partner who wrote."""


class MessageReceived(Event, frozen=True):
    """A partner wrote to the program."""

    event: Literal["message.received"]
    data: Message

    @property
    def natural_key(self) -> str | None:
        """``message:<message id>``."""
        return key_of("message", self.data.id)
