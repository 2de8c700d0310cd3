"""A DBOS queue with the shop of the contract."""

import os

from dubhooks.queues.dbos import DBOSQueue
from dubhooks.testing import QueueShop

if "DUBHOOKS_QUEUE_SHOP" in os.environ and "DBOS_URL" in os.environ:
    later = DBOSQueue(os.environ["DBOS_URL"])
    shop = QueueShop(later)
