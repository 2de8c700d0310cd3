"""A Django project with the shop of the contract: ``python -m tests.queues.apps.django_app``."""

import os
import sys
from typing import Any

import django
from django.conf import settings
from django.core.management import execute_from_command_line


def database_at(host: str, port: int) -> dict[str, Any]:
    """Return the settings of a database, as the page tells to set it up."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "django",
        "USER": "dubhooks",
        "HOST": host,
        "PORT": port,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


if "DUBHOOKS_QUEUE_SHOP" in os.environ and "DJANGO_QUEUE" in os.environ:
    settings.configure(
        INSTALLED_APPS=["django_tasks_db", "dubhooks.django"],
        DATABASES={"default": database_at("127.0.0.1", int(os.environ["DJANGO_PORT"]))},
        TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": []}},
        LOGGING_CONFIG=None,
        USE_TZ=True,
    )
    django.setup()

    from dubhooks.django import DjangoQueue
    from dubhooks.testing import QueueShop

    later = DjangoQueue(queue_name=os.environ["DJANGO_QUEUE"])
    shop = QueueShop(later)

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
