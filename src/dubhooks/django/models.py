"""The two tables of :mod:`dubhooks.stores._sql`; these models only make and show them."""

from __future__ import annotations

from django.db import models

from ..stores._sql import CLAIMS_TABLE, INBOX_TABLE
from ._fields import ExactField

__all__ = ["Claim", "SeenEvent"]


class Claim(models.Model):
    """A delivery that was claimed; see :class:`dubhooks.idempotency.Claim`.

    Times are milliseconds since 1970 by the database's clock.
    """

    claim_key: models.CharField[str, str] = ExactField(primary_key=True, max_length=255)
    token: models.CharField[str, str] = ExactField(max_length=64)
    attempt: models.IntegerField[int, int] = models.IntegerField()
    fingerprint: models.CharField[str, str] = ExactField(max_length=64)
    done: models.BooleanField[bool, bool] = models.BooleanField()
    since: models.BigIntegerField[int, int] = models.BigIntegerField()
    lease_until: models.BigIntegerField[int, int] = models.BigIntegerField()
    keep_until: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        app_label: str = "dubhooks"
        db_table: str = CLAIMS_TABLE
        indexes: tuple[models.Index, ...] = (
            models.Index(fields=["keep_until"], name="dubhooks_claims_keep_until"),
        )

    def __str__(self) -> str:
        return self.claim_key


class SeenEvent(models.Model):
    """An event whose effect is in the database; see :class:`DjangoInbox`."""

    event_key: models.CharField[str, str] = ExactField(primary_key=True, max_length=255)
    seen_at: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        app_label: str = "dubhooks"
        db_table: str = INBOX_TABLE

    def __str__(self) -> str:
        return self.event_key
