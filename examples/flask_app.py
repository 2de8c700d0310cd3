"""Flask: sales into a ledger, once each, under the shop in the URL.

DUB_WEBHOOK_SECRET=whsec_... flask --app flask_app run
"""

import os
import sqlite3
from contextlib import closing

from flask import Flask

import dubhooks
from dubhooks.webhooks import SaleCreated

app = Flask(__name__)
store = dubhooks.SQLiteStore("dubhooks.db")
hooks = dubhooks.Webhooks(os.environ["DUB_WEBHOOK_SECRET"], store=store)


@app.post("/webhooks/dub/<shop>")
@dubhooks.flask.webhook(hooks, SaleCreated)
def record_sale(event: SaleCreated, shop: str) -> None:
    """Write a sale into the ledger; what was written before a crash is not written again."""
    with closing(sqlite3.connect("ledger.db")) as ledger, ledger:
        ledger.execute("CREATE TABLE IF NOT EXISTS sales (event PRIMARY KEY, shop, cents)")
        row = (event.id, shop, event.data.sale.amount)
        ledger.execute("INSERT OR IGNORE INTO sales VALUES (?, ?, ?)", row)
