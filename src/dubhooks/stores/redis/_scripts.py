"""What the Redis stores of both kinds share: the scripts, and what their replies mean."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ...idempotency import Claim

logger = logging.getLogger("dubhooks")

# A claim is one hash.  Its fields tell its state: without "open" it is done, else without "token"
# it is free, else held.  So completing and releasing only delete fields, which Redis does even
# when its memory is full.  "since" and "until" are milliseconds of the server's clock.
CLAIM = """
local attempt = 1
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local row = redis.call(
    'HMGET', KEYS[1], 'attempt', 'fingerprint', 'open', 'token', 'since', 'until')
if row[1] then
    attempt = tonumber(row[1])
    if not row[3] then
        return {'done', attempt, row[2], 0}
    end
    if row[4] ~= ARGV[1] then
        if row[4] then
            local since, untl = tonumber(row[5]), tonumber(row[6])
            if since > now then
                -- The clock was set back: start the lease anew, or it would last for hours.
                untl = now + untl - since
                redis.call('HSET', KEYS[1], 'since', now, 'until', untl)
            end
            if untl > now then
                return {'busy', attempt, row[2], untl - now}
            end
        end
        attempt = attempt + 1
    end
end
redis.call('HSET', KEYS[1], 'attempt', attempt, 'fingerprint', ARGV[2], 'open', 1,
    'token', ARGV[1], 'since', now, 'until', now + ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'acquired', attempt, ARGV[2], 0}
"""
# ARGV[2] names this completion.  The client may send it again when a reply is lost, and must
# then be told that it succeeded; it is noted unless the memory is full.
COMPLETE = """
local row = redis.call('HMGET', KEYS[1], 'open', 'token')
if not row[1] then
    return row[2] == ARGV[2] and 1 or 0
end
if row[2] ~= ARGV[1] then
    return 0
end
redis.call('HDEL', KEYS[1], 'open', 'since', 'until')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.pcall('HSET', KEYS[1], 'token', ARGV[2])
return 1
"""
RELEASE = """
local row = redis.call('HMGET', KEYS[1], 'open', 'token')
if not row[1] or row[2] ~= ARGV[1] then
    return 0
end
redis.call('HDEL', KEYS[1], 'token', 'since', 'until')
return 1
"""
FORGET = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local row = redis.call('HMGET', KEYS[1], 'open', 'token', 'until')
if row[1] and row[2] and tonumber(row[3]) > now then
    return 0
end
return redis.call('DEL', KEYS[1])
"""


def read_claim(reply: Any) -> Claim:
    """Read the reply of ``CLAIM``, whether the client decodes replies or not."""
    state, attempt, fingerprint, milliseconds = reply
    return Claim(_text(state), attempt, _text(fingerprint), milliseconds / 1000)


def advise(info: Mapping[str, Any]) -> None:
    """Warn about settings with which Redis forgets claims; ``info`` is the reply of ``INFO``."""
    policy = info.get("maxmemory_policy")
    if policy not in (None, "noeviction"):
        logger.warning(
            "Redis may evict claims when its memory is full (maxmemory-policy %.32s), and an "
            "event whose claim is gone runs again: set maxmemory-policy noeviction",
            policy,
        )
    if info.get("aof_enabled") == 0:
        logger.warning(
            "Redis keeps no append-only file, so a restart forgets claims and their events run "
            "again: set appendonly yes"
        )


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
