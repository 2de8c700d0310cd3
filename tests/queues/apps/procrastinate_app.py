"""A Procrastinate application with the shop of the contract."""

import os

from procrastinate import App, PsycopgConnector

from dubhooks.queues.procrastinate import ProcrastinateQueue
from dubhooks.testing import QueueShop


def make_app(url: str) -> App:
    """Return an application as the page tells to set it up."""
    return App(connector=PsycopgConnector(conninfo=url))


if "DUBHOOKS_QUEUE_SHOP" in os.environ and "PROCRASTINATE_URL" in os.environ:
    app = make_app(os.environ["PROCRASTINATE_URL"])
    later = ProcrastinateQueue(app, name=os.environ["PROCRASTINATE_QUEUE"])
    shop = QueueShop(later)
