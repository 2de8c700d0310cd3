"""Messages from partners (Dub docs: message.received)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ._base import Event, Integer, Items, Model, Open, Timestamp, key_of

__all__ = ["Message", "MessageAttachment", "MessagePartner", "MessageReceived"]


class MessageAttachment(Model, frozen=True):
    """A file attached to a message.  The partner chose every value."""

    __shown__: ClassVar[tuple[str, ...]] = ("size", "type")

    name: str | None = None
    """The file's name; do not use it as a path."""
    size: Integer | None = None
    """In bytes."""
    type: str | None = None
    """MIME type."""
    url: str | None = None
    """A presigned download link that works for an hour: a secret, never shown in ``repr``."""


class MessagePartner(Model, frozen=True):
    """The partner who wrote."""

    id: str | None = None
    """``pn_…``; optional, because only one printed example shows it."""
    name: str | None = None
    email: str | None = None
    image: str | None = None


class Message(Model, frozen=True):
    """A message."""

    __shown__: ClassVar[tuple[str, ...]] = ("id", "partner")

    id: str
    """``msg_…``"""
    text: str | None = None
    """Empty when the message has attachments only."""
    read_in_app: Timestamp | None = Field(default=None, alias="readInApp")
    """``None`` means unread."""
    read_in_email: Timestamp | None = Field(default=None, alias="readInEmail")
    created_at: Timestamp | None = Field(default=None, alias="createdAt")
    updated_at: Timestamp | None = Field(default=None, alias="updatedAt")
    attachments: Items[MessageAttachment] = Field(default_factory=list[MessageAttachment])
    source_type: Annotated[Literal["partner"] | str, Open()] | None = Field(
        default=None, alias="sourceType"
    )
    partner: MessagePartner | None = None


class MessageReceived(Event, frozen=True):
    """A partner wrote to the program."""

    event: Literal["message.received"]
    data: Message

    @property
    def natural_key(self) -> str | None:
        """``message:<message id>``."""
        return key_of("message", self.data.id)
