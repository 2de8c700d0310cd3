"""The Flask application that the server tests run: it notes in a file what its handlers do."""

from flask import Flask

import dubhooks
import dubhooks.flask
from dubhooks.webhooks import LeadCreated, SaleCreated
from tests.support.served import LEASE, SECRET, note, wait, wait_async

hooks = dubhooks.Webhooks(SECRET, store=dubhooks.SQLiteStore("claims.db"), lease=LEASE)
app = Flask(__name__)
app.add_url_rule("/view", view_func=dubhooks.flask.view(hooks))


@hooks.on(SaleCreated)
def record_sale(event: SaleCreated) -> None:
    """Note a sale."""
    note(f"sale {event.id}")


app.post("/route")(dubhooks.flask.webhook(hooks, SaleCreated)(record_sale))


@app.post("/slow-sync")
@dubhooks.flask.webhook(hooks, LeadCreated)
def slow_sync(event: LeadCreated) -> None:
    """Wait in a thread."""
    wait()


@app.post("/slow-async")
@dubhooks.flask.webhook(hooks, LeadCreated)
async def slow_async(event: LeadCreated) -> None:
    """Wait on an event loop."""
    await wait_async()
