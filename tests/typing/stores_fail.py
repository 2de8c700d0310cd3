"""What type checkers must refuse of the stores and the inbox: an error on every marked line."""

from __future__ import annotations

import redis
import redis.asyncio
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from dubhooks.stores.redis import AsyncRedisStore, RedisStore
from dubhooks.stores.sqlalchemy import AsyncSQLAlchemyStore, SQLAlchemyInbox, SQLAlchemyStore
from dubhooks.webhooks import SaleCreated

engine = create_engine("sqlite:///shop.db")
async_engine = create_async_engine("sqlite+aiosqlite:///shop.db")
inbox = SQLAlchemyInbox()

RedisStore(b"redis://localhost")  # expect-error
RedisStore(redis.asyncio.Redis())  # expect-error
AsyncRedisStore(redis.Redis())  # expect-error
RedisStore(redis.Redis(), "prefix")  # expect-error
SQLAlchemyStore(None)  # expect-error
SQLAlchemyStore("sqlite:///shop.db", 10)  # expect-error
SQLAlchemyStore(async_engine)  # expect-error
AsyncSQLAlchemyStore(engine)  # expect-error
SQLAlchemyInbox("shop")  # expect-error


def wrong(session: Session, event: SaleCreated) -> None:
    inbox.first(event, session)  # expect-error
    inbox.first(session)  # expect-error
    inbox.first(session, event.id)  # expect-error
    inbox.first(engine, event)  # expect-error
    inbox.forget(event)  # expect-error


async def wrong_async(session: AsyncSession, event: SaleCreated) -> None:
    inbox.first(session, event)  # expect-error
    await inbox.afirst(event, session)  # expect-error
