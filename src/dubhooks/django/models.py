"""The two tables; both are written with SQL of their own, never through these models."""

from __future__ import annotations

from django.db import models

from ._fields import ExactField

__all__ = ["Claim", "SeenEvent"]


class Claim(models.Model):
    """A delivery that was claimed; see :class:`dubhooks.idempotency.Claim`.

    Times are seconds since 1970 by the database's clock.
    """

    claim_key = ExactField(primary_key=True, max_length=255)
    token = ExactField(max_length=64)
    state: models.PositiveSmallIntegerField[int, int] = models.PositiveSmallIntegerField()
    attempt: models.PositiveIntegerField[int, int] = models.PositiveIntegerField()
    fingerprint = ExactField(max_length=64)
    since: models.FloatField[float, float] = models.FloatField()
    lease_until: models.FloatField[float, float] = models.FloatField()
    keep_until: models.FloatField[float, float] = models.FloatField()

    class Meta:
        app_label = "dubhooks"
        db_table = "dubhooks_claim"
        indexes = (models.Index(fields=["keep_until"], name="dubhooks_claim_keep_until"),)

    def __str__(self) -> str:
        return self.claim_key


class SeenEvent(models.Model):
    """An event whose effect is in the database; see :class:`DjangoInbox`."""

    event_key = ExactField(primary_key=True, max_length=255)
    seen_at: models.FloatField[float, float] = models.FloatField()

    class Meta:
        app_label = "dubhooks"
        db_table = "dubhooks_seen_event"
        indexes = (models.Index(fields=["seen_at"], name="dubhooks_seen_event_seen_at"),)

    def __str__(self) -> str:
        return self.event_key
