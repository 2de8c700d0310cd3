"""``manage.py dubhooks_requeue``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ....errors import ConfigurationError
from ...queue import list_queues

__all__ = ["Command"]


class Command(BaseCommand):
    """Give back the events of workers that were killed, in every ``DjangoQueue``."""

    help = (
        "Give back the events of workers that were killed. Queues do this themselves when "
        "something is put or worked; run it every minute where that is rare."
    )

    def handle(self, *_: Any, **__: Any) -> None:
        """Run the command.

        Raises:
            CommandError: there is no queue, or django-tasks-db is not installed.
        """
        queues = list_queues()
        if not queues:
            raise CommandError(
                "this project has no DjangoQueue: make it in a module that every process imports, "
                "such as dubhooks_handlers"
            )
        for queue in queues:
            try:
                count = queue.requeue()
            except ConfigurationError as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"{queue.backend}, {queue.queue_name}: {count} given back")
