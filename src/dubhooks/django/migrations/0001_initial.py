"""The tables of DjangoStore and DjangoInbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

from .._fields import ExactField


class Migration(migrations.Migration):
    """Both tables are small: a row for each delivery of the last 30 days."""

    initial: ClassVar[bool | None] = True
    operations: ClassVar[Sequence[Operation]] = (
        migrations.CreateModel(
            name="Claim",
            fields=[
                ("claim_key", ExactField(max_length=255, primary_key=True, serialize=False)),
                ("token", ExactField(max_length=64)),
                ("attempt", models.IntegerField()),
                ("fingerprint", ExactField(max_length=64)),
                ("done", models.BooleanField()),
                ("since", models.BigIntegerField()),
                ("lease_until", models.BigIntegerField()),
                ("keep_until", models.BigIntegerField()),
            ],
            options={
                "db_table": "dubhooks_claims",
                "indexes": [models.Index(fields=["keep_until"], name="dubhooks_claims_keep_until")],
            },
        ),
        migrations.CreateModel(
            name="SeenEvent",
            fields=[
                ("event_key", ExactField(max_length=255, primary_key=True, serialize=False)),
                ("seen_at", models.BigIntegerField()),
            ],
            options={"db_table": "dubhooks_inbox"},
        ),
    )
