"""How a key longer than LMDB takes is cut into pieces that keep byte order. Pure.

LMDB takes keys of 1 to 511 bytes. There are two spaces of physical keys: ``KEYS``, where
every key begins, and ``REST``, where the rest of a long one goes on. One law for both:

    a text of 1..510 bytes     is a physical key itself ("direct"), holding the value;
    a longer text              leads over a head: its first 510 bytes and one 0x00 (511 bytes),
                               holding a group's id of 8 bytes, and goes on in REST as the
                               text ``id + text[510:]`` under the same law.

So a key of 4,096 bytes is at most nine physical ones, keys that share a long prefix share the
heads, and each costs at most nine look-ups however many they are.

Why the order is byte order: let ``p`` be the 510 bytes of a head. Its group holds exactly the
texts that begin with ``p`` and are longer. A direct key ``k`` differs from ``p`` within 510 bytes
(then the head and every text of the group compare with ``k`` as ``p`` does), or is ``p`` or a
proper prefix of it (then it is before the head and before the group). Being at most 510 bytes it
cannot lie inside the group. Two heads differ within 510 bytes. Nothing else is 511 bytes long, so
the length tells a head; and inside REST all texts of a group share the id and sort by what follows.
"""

from __future__ import annotations

DIRECT_BYTES_MAX = 510
HEAD_BYTES = DIRECT_BYTES_MAX + 1
ID_BYTES = 8


def head_of(text: bytes) -> bytes:
    """The head that a text of more than ``DIRECT_BYTES_MAX`` bytes leads over."""
    return text[:DIRECT_BYTES_MAX] + b"\0"


def lower_bound(start: bytes) -> bytes:
    """The lowest physical key that may hold something ``>= start`` (at most 511 bytes)."""
    return start if len(start) <= DIRECT_BYTES_MAX else head_of(start)


def upper_bound(stop: bytes) -> bytes:
    """A bound above exactly the physical keys that may hold something ``< stop``.

    For a long ``stop`` its head is among them, so the bound is one byte longer (512 bytes): no
    physical key lies between.
    """
    return stop if len(stop) <= DIRECT_BYTES_MAX else head_of(stop) + b"\0"


def group_start(head: bytes, group: bytes, start: bytes) -> bytes:
    """Where a scan from ``start`` begins inside the group of ``head``."""
    if len(start) > DIRECT_BYTES_MAX and head == head_of(start):
        return group + start[DIRECT_BYTES_MAX:]
    return group


def group_stop(head: bytes, group: bytes, stop: bytes) -> bytes:
    """Where a scan to ``stop`` ends inside the group of ``head``."""
    if len(stop) > DIRECT_BYTES_MAX and head == head_of(stop):
        return group + stop[DIRECT_BYTES_MAX:]
    return next_id(group)


def next_id(group: bytes) -> bytes:
    """The id after ``group``."""
    return (int.from_bytes(group, "big") + 1).to_bytes(ID_BYTES, "big")
