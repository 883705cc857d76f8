"""A bucket, and its row B. Pure: bytes to values and back, and what a change reads.

Rows (``docs/format-names.md``): ``B`` name for a bucket that exists, ``B`` 0 name 0
inverse-counter for a deleted one. The id in front of its objects' rows is never used
again, so a new bucket of an old name does not see the old one's objects.
"""

from __future__ import annotations

import functools
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from maruhub.errors import InvalidInput, NoSuchBucket, UnsupportedFormat
from maruhub.namespace.names import check_bucket_name
from maruhub.store.format.row import Row
from maruhub.store.protocol import Rows, Store, get, prefix_end

DELAY_S: Final = 86_400
"""Default eradication delay: a day."""

_DELAY_S_MAX: Final = 100 * 366 * 86_400
_HEAD: Final = struct.Struct("<BBHIQqqqq")
_VERSION: Final = 1
_COUNTER_MAX: Final = 2**64 - 1


class Versioning(StrEnum):
    """S3's versioning of a bucket; once enabled it is never off again, only suspended."""

    OFF = ""
    ENABLED = "enabled"
    SUSPENDED = "suspended"


_VERSIONING: Final = {mode.value: mode for mode in Versioning}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket as its row says.

    Args:
        name: Its name.
        id: Unique in the hub, never used again.
        delay_us: How long overwritten and deleted objects stay restorable, microseconds.
        created_us: Wall time of its making.
        hidden_us: Pool time of its deletion, 0 while it exists.
        eradicate_at_us: Pool time until which it is restorable, 0 while it exists.
        tail: The row's optional named fields; those unknown here are kept.
    """

    name: str
    id: int
    delay_us: int
    created_us: int
    hidden_us: int = 0
    eradicate_at_us: int = 0
    tail: dict[str, Any] = field(default_factory=dict)

    @property
    def delay_s(self) -> float:
        """The eradication delay in seconds."""
        return self.delay_us / 1e6

    @property
    def id_bytes(self) -> bytes:
        """The 8 bytes in front of its objects' rows."""
        return self.id.to_bytes(8, "big")

    @property
    def owner(self) -> str:
        """The user who has full rights to it over HTTP; empty: nobody but the hub itself."""
        return str(self.tail.get("owner", ""))

    @property
    def versioning(self) -> Versioning:
        """Whether S3's versions are kept in it."""
        return _VERSIONING[self.tail.get("versioning", "")]

    @property
    def locks(self) -> bool:
        """Whether single versions in it can be locked (S3's object lock)."""
        return "lock" in self.tail

    @property
    def default_lock(self) -> dict[str, Any] | None:
        """What locks a new version that nothing is said of: ``mode``, ``days``, ``years``; None: nothing."""
        lock = self.tail.get("lock")
        return {"mode": lock["mode"], **{n: lock.get(n) or 0 for n in ("days", "years")}} if lock else None

    @property
    def retain_until_us(self) -> int:
        """Pool time until which nothing in it may be eradicated, 0 if nobody has said so."""
        return int(self.tail.get("retain_until_us", 0))

    def kept_until_us(self, hidden_us: int, eradicate_at_us: int) -> int:
        """Pool time until which a version hidden at ``hidden_us`` stays restorable.

        The promise made when it was hidden, or a longer one the bucket made since; a
        delay that was shortened goes on for whatever was hidden under the longer one. In a
        deleted bucket nothing goes before the bucket itself may.
        """
        floors = [int(delay) for until, delay in self.tail.get("floors", ()) if hidden_us <= until]
        delayed = hidden_us + max([self.delay_us, *floors])
        return max(eradicate_at_us, delayed, self.retain_until_us, self.eradicate_at_us)

    def retained(self, until_us: int) -> Bucket:
        """This bucket, retained until pool time ``until_us`` at least: never shorter than before."""
        return replace(self, tail=self.tail | {"retain_until_us": max(until_us, self.retain_until_us)})

    def owned(self, owner: str) -> Bucket:
        """This bucket as another user's, or with an empty name the hub's."""
        tail = {name: value for name, value in self.tail.items() if name != "owner"}
        return replace(self, tail=tail | ({"owner": owner} if owner else {}))

    def with_delay(self, delay_us: int, now_us: int) -> Bucket:
        """This bucket under another delay; a shorter one leaves a floor for what is hidden."""
        floors = [pair for pair in self.tail.get("floors", ()) if sum(pair) > now_us]
        if delay_us < self.delay_us:
            floors.append([now_us, self.delay_us])
        tail = {name: value for name, value in self.tail.items() if name != "floors"}
        return replace(self, delay_us=delay_us, tail=tail | ({"floors": floors} if floors else {}))


def delay_to_us(delay_s: float) -> int:
    """A delay in microseconds; raises InvalidInput outside of 0 seconds to 100 years."""
    if not 0 <= delay_s <= _DELAY_S_MAX:
        raise InvalidInput(
            f"an eradication delay of {delay_s} s is not possible.", hint="Use 0 s to 100 years."
        )
    return round(delay_s * 1e6)


def encode_bucket(bucket: Bucket) -> bytes:
    """The payload of its row."""
    head = _HEAD.pack(
        _VERSION,
        0,
        0,
        0,
        bucket.id,
        bucket.delay_us,
        bucket.created_us,
        bucket.hidden_us,
        bucket.eradicate_at_us,
    )
    return head + (json.dumps(bucket.tail, separators=(",", ":")).encode() if bucket.tail else b"")


def decode_bucket(row: Row) -> Bucket:
    """The bucket of a row ``B``, hidden or not."""
    return parse_bucket(row.key, row.payload)


@functools.lru_cache(maxsize=64)
def parse_bucket(key: bytes, payload: bytes) -> Bucket:
    """The same of a row's key and payload.

    Every request reads its bucket's row, which may hold a policy of 20 KB; nobody changes a
    bucket once it is made.
    """
    if len(payload) < _HEAD.size or payload[0] != _VERSION:
        raise UnsupportedFormat(f"bucket row {key!r} has an unknown version.", hint="Upgrade MaruHub.")
    name = key[2:].split(b"\0")[0] if key[1] == 0 else key[1:]
    tail = json.loads(payload[_HEAD.size :]) if len(payload) > _HEAD.size else {}
    id_, delay_us, created_us, hidden_us, eradicate_at_us = _HEAD.unpack_from(payload)[4:]
    return Bucket(name.decode(), id_, delay_us, created_us, hidden_us, eradicate_at_us, tail)


def bucket_key(name: str) -> bytes:
    """The row key of a bucket that exists."""
    return b"B" + name.encode()


def hidden_bucket_key(name: str, counter: int) -> bytes:
    """The row key of a bucket deleted by change ``counter``; newest first."""
    return hidden_bucket_prefix(name) + (_COUNTER_MAX - counter).to_bytes(8, "big")


def hidden_bucket_prefix(name: str) -> bytes:
    """In front of all deleted buckets of one name."""
    return b"B\0" + name.encode() + b"\0"


def bucket_range() -> tuple[bytes, bytes]:
    """Start and stop of the rows of all buckets that exist."""
    return b"B\x01", prefix_end(b"B")


def find_bucket(reader: Store | Rows, name: str) -> Bucket:
    """The bucket of that name; raises InvalidName, NoSuchBucket."""
    check_bucket_name(name)
    row = get(reader, bucket_key(name))
    if row is None:
        raise no_such_bucket(name)
    return decode_bucket(row)


def no_such_bucket(name: str) -> NoSuchBucket:
    """The error for a name that no bucket bears."""
    return NoSuchBucket(
        f"there is no bucket {name!r}.",
        hint=f"Make it with `maru mb {name}`, or bring it back with `maru undelete {name}`.",
    )


def find_or_stage_bucket(
    rows: Rows,
    name: str,
    *,
    create: bool,
    delay_us: int = DELAY_S * 10**6,
    owner: str = "",
    tail: Mapping[str, Any] | None = None,
) -> Bucket:
    """Inside a change: the bucket; if ``create`` is set, made in this very change.

    ``owner`` and the named fields ``tail`` are for the one that is made.
    """
    if not create or get(rows, bucket_key(name)) is not None:
        return find_bucket(rows, name)
    check_bucket_name(name)
    bucket = Bucket(name, rows.counter, delay_us, rows.time_us, tail=dict(tail or {}))
    bucket = bucket.owned(owner) if owner else bucket
    rows.put(bucket_key(name), encode_bucket(bucket))
    return bucket
