"""Done keys in memory, packed: some 100 bytes each, where objects would take 400."""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct

__all__ = ["DoneKeys"]

_RECORD = Struct("<q8sdI32s")
"""Python's hash of the key, a digest of the key, end of the row, attempt, fingerprint."""
_SIZE = _RECORD.size
_HASH = Struct("<q")
_END = Struct("<d")
_END_OFFSET = 16
# So many that even among millions of keys a bucket fits in a few cache lines.
_BUCKETS = 131_072
_FEWEST_TO_SWEEP = 4


class DoneKeys:
    """A map from key to attempt and fingerprint, by a moment until which it holds.

    Records stand side by side in buckets; a key is found by searching its
    bucket for the hash, which C does.  Most keys are new, so their hash is not
    there; the slower digest is only compared to be sure about one that is.
    """

    def __init__(self) -> None:
        self._buckets: dict[int, bytearray] = {}

    def find(self, key: str, now: float) -> tuple[int, str] | None:
        """Return attempt and fingerprint of ``key``, unless it is absent or too old."""
        hashed = hash(key)
        bucket = self._buckets.get(hashed % _BUCKETS)
        if bucket is None:
            return None
        start = _position(bucket, _HASH.pack(hashed), key)
        if start < 0:
            return None
        _, _, end, attempt, fingerprint = _RECORD.unpack_from(bucket, start)
        if end <= now:
            del bucket[start : start + _SIZE]
            return None
        return attempt, fingerprint.hex()

    def add(self, key: str, end: float, attempt: int, fingerprint: str, now: float) -> bool:
        """Keep an absent ``key`` until ``end``; false when its fingerprint cannot be packed."""
        packed = _packed(fingerprint)
        if packed is None:
            return False
        hashed = hash(key)
        bucket = self._buckets.setdefault(hashed % _BUCKETS, bytearray())
        bucket += _RECORD.pack(hashed, _digest(key), end, attempt, packed)
        count = len(bucket) // _SIZE
        # At powers of two: a sweep costs each addition the same, however many keys there are.
        if count >= _FEWEST_TO_SWEEP and count & (count - 1) == 0:
            _sweep(bucket, now)
        return True

    def remove(self, key: str, now: float) -> bool:
        """Forget ``key``; false when it is absent or too old."""
        if self.find(key, now) is None:
            return False
        hashed = hash(key)
        bucket = self._buckets[hashed % _BUCKETS]
        start = _position(bucket, _HASH.pack(hashed), key)
        del bucket[start : start + _SIZE]
        return True

    def purge(self, now: float) -> int:
        """Forget what is too old and return how many there were."""
        return sum(_sweep(bucket, now) for bucket in self._buckets.values())


def _digest(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _position(bucket: bytearray, hashed: bytes, key: str) -> int:
    start = bucket.find(hashed)
    while start >= 0:
        # The same bytes may stand elsewhere in a record, or belong to another key.
        if start % _SIZE == 0 and bucket.startswith(_digest(key), start + _HASH.size):
            break
        start = bucket.find(hashed, start + 1)
    return start


def _packed(fingerprint: str) -> bytes | None:
    try:
        packed = bytes.fromhex(fingerprint)
    except ValueError:
        return None
    return packed if len(packed) == 32 and packed.hex() == fingerprint else None


def _sweep(bucket: bytearray, now: float) -> int:
    starts = range(0, len(bucket), _SIZE)
    live = [at for at in starts if _END.unpack_from(bucket, at + _END_OFFSET)[0] > now]
    gone = len(starts) - len(live)
    if gone:
        bucket[:] = b"".join(bucket[at : at + _SIZE] for at in live)
    return gone
