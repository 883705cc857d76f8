"""The ``C`` row: counter, pool clock, and what the index belongs to. Pure.

The pool clock advances by differences of a clock that no one can set (CLOCK_BOOTTIME);
over a reboot it stands still. So a wrong wall clock makes no delay end early.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_HEAD: Final = struct.Struct("<B16sQqq16s32sI")
_STAMP: Final = struct.Struct("<16sQ")
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Moment:
    """This machine's clocks. ``boot_id``: 16 bytes, new at every boot."""

    boot_id: bytes
    boot_us: int
    wall_us: int


@dataclass(frozen=True, slots=True)
class IndexState:
    """What the index says of itself after the last turn.

    ``identity`` (≤ 32 bytes) names the index file; ``stamps`` are the blades' folders'
    stamps when a turn last listed or changed them.
    """

    pool_id: bytes = bytes(16)
    counter: int = 0
    pool_time_us: int = 0
    boot_us: int = 0
    boot_id: bytes = bytes(16)
    identity: bytes = b""
    stamps: Mapping[bytes, int] = field(default_factory=dict)

    def pool_time_at(self, now: Moment) -> int:
        """The pool clock at ``now``, microseconds."""
        if now.boot_id != self.boot_id:
            return self.pool_time_us
        return self.pool_time_us + max(0, now.boot_us - self.boot_us)


def encode_state(state: IndexState, *, counter: int | None = None) -> bytes:
    """Value of the ``C`` row, with another counter if one is given."""
    head = _HEAD.pack(
        _VERSION,
        state.pool_id,
        state.counter if counter is None else counter,
        state.pool_time_us,
        state.boot_us,
        state.boot_id,
        state.identity,
        len(state.stamps),
    )
    return head + b"".join(_STAMP.pack(blade, stamp) for blade, stamp in sorted(state.stamps.items()))


def decode_state(value: bytes | None) -> IndexState:
    """Inverse of :func:`encode_state`; None (an empty index) is the state of a new pool."""
    if not value:
        return IndexState()
    _, pool_id, counter, pool_time, boot_us, boot_id, identity, count = _HEAD.unpack_from(value)
    stamps = dict(_STAMP.unpack_from(value, _HEAD.size + i * _STAMP.size) for i in range(count))
    return IndexState(pool_id, counter, pool_time, boot_us, boot_id, identity.rstrip(b"\0"), stamps)
