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
    email: Maybe[str] = None
    image: Maybe[str] = None


class Message(Model, frozen=True):
    """A message."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "partner")

    id: str
    """``msg_…``"""
    text: Text = ""
    """Empty when the message has attachments only."""
    read_in_app: Maybe[Timestamp] = Field(default=None, alias="readInApp")
    """``None`` means unread."""
    read_in_email: Maybe[Timestamp] = Field(default=None, alias="readInEmail")
    created_at: Maybe[Timestamp] = Field(default=None, alias="createdAt")
    updated_at: Maybe[Timestamp] = Field(default=None, alias="updatedAt")
    attachments: Items[MessageAttachment] = Field(default_factory=list[MessageAttachment])
    source_type: Maybe[OpenEnum[Literal["partner"]]] = Field(default=None, alias="sourceType")
    partner: MessagePartner | None = None


class MessageReceived(Event, frozen=True):
    """A partner wrote to the program."""

    event: Literal["message.received"]
    data: Message

    @property
    def natural_key(self) -> str | None:
        """``message:<message id>``."""
        return key_of("message", self.data.id)
