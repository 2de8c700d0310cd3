"""The tables of DjangoStore and DjangoInbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import migrations, models

from .._fields import ExactField

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import ClassVar

    from django.db.migrations.operations.base import Operation

__all__ = ["Migration"]


class Migration(migrations.Migration):
    """Both tables are small: a row for each delivery of the last 30 days."""

    initial = True
    operations: ClassVar[Sequence[Operation]] = (
        migrations.CreateModel(
            name="Claim",
            fields=[
                ("claim_key", ExactField(max_length=255, primary_key=True, serialize=False)),
                ("token", ExactField(max_length=64)),
                ("state", models.PositiveSmallIntegerField()),
                ("attempt", models.PositiveIntegerField()),
                ("fingerprint", ExactField(max_length=64)),
                ("since", models.FloatField()),
                ("lease_until", models.FloatField()),
                ("keep_until", models.FloatField()),
            ],
            options={
                "db_table": "dubhooks_claim",
                "indexes": [models.Index(fields=["keep_until"], name="dubhooks_claim_keep_until")],
            },
        ),
        migrations.CreateModel(
            name="SeenEvent",
            fields=[
                ("event_key", ExactField(max_length=255, primary_key=True, serialize=False)),
                ("seen_at", models.FloatField()),
            ],
            options={
                "db_table": "dubhooks_seen_event",
                "indexes": [models.Index(fields=["seen_at"], name="dubhooks_seen_event_seen_at")],
            },
        ),
    )
