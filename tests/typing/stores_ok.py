"""What type checkers must accept of the stores and the inbox."""

from __future__ import annotations

from datetime import timedelta

import redis
import redis.asyncio
import valkey
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from typing_extensions import assert_type

import dubhooks
from dubhooks.idempotency import AsyncStore, Store
from dubhooks.stores.redis import AsyncRedisStore, RedisStore
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyInbox, SQLAlchemyStore
from dubhooks.webhooks import SaleCreated

engine = create_engine("sqlite:///shop.db")
async_engine = create_async_engine("sqlite+aiosqlite:///shop.db")

stores: list[Store | AsyncStore] = [
    RedisStore(redis.Redis(), prefix="shop:"),
    RedisStore("redis://localhost", timeout=timedelta(seconds=5)),
    RedisStore(valkey.Valkey()),
    SQLAlchemyStore(engine),
    SQLAlchemyStore(engine.url, timeout=5),
    AsyncRedisStore(redis.asyncio.Redis()),
    AsyncSQLAlchemyStore(async_engine),
    AsyncSQLAlchemyStore("sqlite+aiosqlite:///shop.db", timeout=10.0),
]
for store in stores:
    dubhooks.Webhooks("whsec_x", store=store)

inbox = SQLAlchemyInbox(namespace="shop")
inbox.create_table(engine)


def record(event: SaleCreated, connection: Connection, session: Session) -> None:
    assert_type(inbox.first(session, event), bool)
    assert_type(inbox.purge(connection, timedelta(days=30)), int)
    assert_type(inbox.forget(session, "evt_1"), bool)


async def arecord(session: AsyncSession, connection: AsyncConnection, event: SaleCreated) -> None:
    assert_type(await inbox.afirst(session, event), bool)
    assert_type(await inbox.afirst(connection, event), bool)
    assert_type(await inbox.aforget(session, event), bool)
    assert_type(await inbox.apurge(connection, 60), int)
