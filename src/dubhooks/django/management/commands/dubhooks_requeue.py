"""``manage.py dubhooks_requeue``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...queue import QUEUES

__all__ = ["Command"]


class Command(BaseCommand):
    """Give back the events of workers that were killed, in every ``DjangoQueue``."""

    help = "Give back the events of workers that were killed; run it each minute in quiet shops."

    def handle(self, *_: Any, **__: Any) -> None:
        """Run the command.

        Raises:
            CommandError: there is no queue.
        """
        if not QUEUES:
            raise CommandError("no DjangoQueue: make it where every process imports it")
        for (backend, name), queue in QUEUES.items():
            self.stdout.write(f"{backend}, {name}: {queue.requeue()} given back")
