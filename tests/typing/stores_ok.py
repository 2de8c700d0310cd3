"""What type checkers must accept of the stores and the inbox."""

from __future__ import annotations

from datetime import timedelta

import redis
import redis.asyncio
import valkey
import valkey.asyncio
from sqlalchemy import Connection, MetaData, Table, create_engine
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, sessionmaker
from typing_extensions import assert_type

import dubhooks
from dubhooks.idempotency import AsyncStore, Claim, Store
from dubhooks.stores.redis import AsyncRedisStore, RedisStore
from dubhooks.stores.sqlalchemy import (
    AsyncSQLAlchemyStore,
    SQLAlchemyInbox,
    SQLAlchemyStore,
    claims_table,
    metadata,
)
from dubhooks.webhooks import SaleCreated

engine = create_engine("sqlite:///shop.db")
async_engine = create_async_engine("sqlite+aiosqlite:///shop.db")

sync_stores: list[Store] = [
    RedisStore(redis.Redis(), prefix="shop:"),
    RedisStore(redis.Redis(decode_responses=True)),
    RedisStore(redis.RedisCluster(host="localhost")),
    RedisStore("redis://localhost", timeout=timedelta(seconds=5)),
    RedisStore(valkey.Valkey()),
    SQLAlchemyStore(engine),
    SQLAlchemyStore("sqlite:///shop.db", timeout=timedelta(seconds=10)),
    SQLAlchemyStore(engine.url, timeout=5),
]
async_stores: list[AsyncStore] = [
    AsyncRedisStore(redis.asyncio.Redis()),
    AsyncRedisStore(redis.asyncio.RedisCluster(host="localhost")),
    AsyncRedisStore("valkeys://localhost", prefix="shop:", timeout=5),
    AsyncRedisStore(valkey.asyncio.Valkey()),
    AsyncSQLAlchemyStore(async_engine),
    AsyncSQLAlchemyStore("sqlite+aiosqlite:///shop.db", timeout=10.0),
]
for sync_store in sync_stores:
    dubhooks.Webhooks("whsec_x", store=sync_store)
for async_store in async_stores:
    dubhooks.Webhooks("whsec_x", store=async_store)

store = SQLAlchemyStore(engine)
assert_type(store.create_table(), None)
assert_type(store.purge(), int)
assert_type(store.complete("k", "t", retention=60), bool)
assert_type(store.forget("k"), bool)
assert_type(store.close(), None)
assert_type(store.claim("k", "t", fingerprint="f", lease=60, retention=60.0), Claim)
assert_type(store.table, Table)
assert_type(claims_table, Table)
assert_type(metadata, MetaData)

inbox = SQLAlchemyInbox(namespace="shop")
inbox.create_table(engine)


def record(event: SaleCreated) -> None:
    with sessionmaker(engine).begin() as session:
        assert_type(inbox.first(session, event), bool)


def purge(connection: Connection, session: Session) -> None:
    assert_type(inbox.purge(connection, timedelta(days=30)), int)
    assert_type(inbox.purge(session, 30 * 86_400), int)
    assert_type(inbox.forget(session, "evt_1"), bool)


async def arecord(session: AsyncSession, connection: AsyncConnection, event: SaleCreated) -> None:
    assert_type(await inbox.afirst(session, event), bool)
    assert_type(await inbox.afirst(connection, event), bool)
    await inbox.acreate_table(connection)
    assert_type(await inbox.aforget(session, event), bool)
    assert_type(await inbox.apurge(connection, 60), int)
    await AsyncSQLAlchemyStore(async_engine).aclose()
    assert_type(await AsyncSQLAlchemyStore(async_engine).purge(), int)
