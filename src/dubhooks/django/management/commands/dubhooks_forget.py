"""``manage.py dubhooks_forget``."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync
from django.core.management.base import BaseCommand, CommandError

from ....errors import ConfigurationError
from ....idempotency import is_async_store
from ....idempotency._keys import list_keys_of
from ....receiver import pipeline_of
from ..._settings import list_receivers
from ...models import Claim
from ...store import DjangoStore

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterable

    from ....receiver._typed import Postbacks, Webhooks

__all__ = ["Command"]


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
            CommandError: nothing was forgotten, or the handler of one of the events is running.
        """
        receivers = list_receivers().values()
        if not receivers:
            raise CommandError(
                "the setting DUBHOOKS makes no receiver: call forget() of your own one, for "
                "example in manage.py shell"
            )
        outcomes: set[str] = set()
        for each in options["ids"]:
            try:
                outcome = _forget(receivers, each)
            except ConfigurationError as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"{each}: {outcome}")
            outcomes.add(outcome)
        if _RUNNING in outcomes:
            raise CommandError("a handler is running: try again when it is done")
        if _FORGOTTEN not in outcomes:
            raise CommandError("nothing was forgotten")


_FORGOTTEN = "forgotten"
_RUNNING = "not forgotten: its handler is running"
_NOTHING = "not forgotten: nothing is remembered of it"
_UNCLEAR = f"{_NOTHING}, or its handler is running"


def _forget(receivers: Iterable[Webhooks | Postbacks], what: str) -> str:
    # Every receiver is asked: webhooks and postbacks share a store, each with its own namespace.
    outcomes = [_forget_in(receiver, what) for receiver in receivers]
    return min(outcomes, key=(_RUNNING, _FORGOTTEN, _UNCLEAR, _NOTHING).index)


def _forget_in(receiver: Webhooks | Postbacks, what: str) -> str:
    store = receiver.store
    if store is not None and is_async_store(store):
        was_forgotten = async_to_sync(receiver.aforget)(what)
    else:
        was_forgotten = receiver.forget(what)
    if not isinstance(store, DjangoStore):
        return _FORGOTTEN if was_forgotten else _UNCLEAR
    if _is_running(receiver, store, what):
        return _RUNNING
    return _FORGOTTEN if was_forgotten else _NOTHING


def _is_running(receiver: Webhooks | Postbacks, store: DjangoStore, what: str) -> bool:
    """Tell whether a claim is still there that is neither done nor free: its lease runs."""
    pipeline = pipeline_of(receiver)
    keys = list_keys_of(pipeline.settings.namespace, pipeline.family.name, what)
    held = Claim.objects.using(store.alias).filter(done=False, lease_until__gt=0)
    return held.filter(claim_key__in=keys, keep_until__gt=int(time() * 1000)).exists()
