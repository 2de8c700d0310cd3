"""The Flask application that the tests of real servers start; it works in its directory.

``runs.log`` gets a line when a handler starts and one when it finishes; the
body as the handler saw it is in ``<event id>.body``.  A handler waits while
there is a file named ``hold``.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from flask import Flask, request

import dubhooks
import dubhooks.flask
from dubhooks.webhooks import LeadCreated, SaleCreated

SECRET = "whsec_0123456789abcdef0123456789abcdef"

hooks = dubhooks.Webhooks(
    SECRET, store=dubhooks.SQLiteStore("claims.db"), lease=float(os.environ.get("LEASE", "60"))
)
app = Flask(__name__)
app.add_url_rule("/registry", view_func=dubhooks.flask.view(hooks))


def note(line: str) -> None:
    """Append a line that is there for all processes at once, and after a kill."""
    with open("runs.log", "a", encoding="utf-8", buffering=1) as log:
        log.write(f"{line} {os.getpid()}\n")


def work(event: SaleCreated | LeadCreated) -> None:
    """Do what a handler does, noted."""
    note(f"started {event.id}")
    while Path("hold").exists():
        time.sleep(0.01)
    Path(f"{event.id}.body").write_bytes(request.get_data())
    note(f"finished {event.id}")


@app.post("/route/<tenant>")
@dubhooks.flask.webhook(hooks, SaleCreated)
def sale(event: SaleCreated, tenant: str) -> str:
    """Answer by itself."""
    work(event)
    return tenant


@hooks.on(LeadCreated)
def lead(event: LeadCreated) -> None:
    """Answer nothing."""
    work(event)
