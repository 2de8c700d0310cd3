"""``manage.py dubhooks_forget``."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from asgiref.sync import async_to_sync
from django.core.management.base import BaseCommand, CommandError

from ....errors import ConfigurationError
from ....idempotency import is_async_store
from ....receiver._typed import Postbacks, Webhooks
from ..._settings import list_receivers


class Command(BaseCommand):
    """Forget that events were handled, in the receivers of the setting ``DUBHOOKS``."""

    help = (
        "Forget that events were handled, so that they run again when they come again. "
        "An event whose handler runs right now is not forgotten."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("ids", nargs="+", metavar="ID", help="an event's id, or a natural key")

    def handle(self, *_: Any, **options: Any) -> None:
        """Run the command.

        Raises:
            CommandError: one of the events was not forgotten.
        """
        receivers = list_receivers().values()
        kept: list[str] = []
        for what in options["ids"]:
            try:
                # Every receiver is asked: they share a store, each with a namespace of its own.
                was_forgotten = [_forget(receiver, what) for receiver in receivers]
            except ConfigurationError as error:
                raise CommandError(str(error)) from error
            if any(was_forgotten):
                self.stdout.write(f"{what}: forgotten")
            else:
                kept.append(what)
        if kept:
            raise CommandError(
                f"not forgotten: {', '.join(kept)}: nothing is remembered of it by a receiver of "
                "the setting DUBHOOKS, or its handler is running: then try again when it is done"
            )


def _forget(receiver: Webhooks | Postbacks, what: str) -> bool:
    store = receiver.store
    if store is not None and is_async_store(store):
        return async_to_sync(receiver.aforget)(what)
    return receiver.forget(what)
