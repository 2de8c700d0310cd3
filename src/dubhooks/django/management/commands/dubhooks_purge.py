"""``manage.py dubhooks_purge``."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from ....errors import ConfigurationError
from ...inbox import DjangoInbox
from ...store import DjangoStore


class Command(BaseCommand):
    """Delete claims whose retention is over, and old inbox entries if asked to."""

    help = "Delete claims whose retention is over; DjangoStore also does it now and then itself."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--database",
            choices=list(connections),
            help="alias of the database, if not the routers' choice",
        )
        parser.add_argument(
            "--inbox-days",
            type=float,
            help="also forget events that DjangoInbox noted longer ago than this; "
            "deliveries as old as that must be refused (max_age), or they run again",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        """Run the command.

        Raises:
            CommandError: there is no such database or table.
        """
        using: str | None = options["database"]
        days: float | None = options["inbox_days"]
        try:
            self.stdout.write(f"claims: {DjangoStore(using=using).purge()} deleted")
            if days is not None:
                count = DjangoInbox(using=using).purge(timedelta(days=days))
                self.stdout.write(f"inbox: {count} deleted")
        except ConfigurationError as error:
            raise CommandError(str(error)) from error
