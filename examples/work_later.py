"""Flask and a queue in one SQLite file: kill the worker, and no sale is lost or doubled.

pip install 'dubhooks[flask,dbos,cli]'
export DUB_WEBHOOK_SECRET=whsec_local
flask --app work_later run &
python -m dubhooks.queues.dbos work_later:later & worker=$!
dubhooks trigger sale.created --to http://127.0.0.1:5000/webhooks/dub --repeat 500 --concurrency 8 &
sleep 5; kill -9 $worker
python -m dubhooks.queues.dbos work_later:later &
curl http://127.0.0.1:5000/sales    # rises to 500, and stays there
"""

import os
import sqlite3
from contextlib import closing

from flask import Flask

import dubhooks
from dubhooks.queues.dbos import DBOSQueue
from dubhooks.webhooks import SaleCreated

later = DBOSQueue("sqlite:///queue.db")
inbox = dubhooks.SQLiteInbox()
hooks = dubhooks.Webhooks(
    os.environ["DUB_WEBHOOK_SECRET"],
    store=dubhooks.SQLiteStore("claims.db"),
    dead_letters=dubhooks.DeadLetterDirectory("dead-letters"),
    lease=10,
)

with closing(sqlite3.connect("ledger.db")) as ledger, ledger:
    ledger.execute("PRAGMA journal_mode = WAL")
    ledger.execute("CREATE TABLE IF NOT EXISTS sales (event, cents)")
    inbox.create_table(ledger)

app = Flask(__name__)
app.add_url_rule("/webhooks/dub", view_func=dubhooks.flask.view(hooks), methods=["POST"])


@hooks.on(SaleCreated, queue=later)
def record_sale(event: SaleCreated) -> None:
    """Write a sale into the ledger, in the transaction that notes its event."""
    with closing(sqlite3.connect("ledger.db", timeout=30)) as ledger, ledger:
        if inbox.first(ledger, event):
            ledger.execute("INSERT INTO sales VALUES (?, ?)", (event.id, event.data.sale.amount))


@app.get("/sales")
def count_sales() -> str:
    """Return how many sales there are."""
    with closing(sqlite3.connect("ledger.db", timeout=30)) as ledger:
        return str(ledger.execute("SELECT COUNT(*) FROM sales").fetchone()[0])
