"""How a key longer than LMDB takes is cut into pieces that keep byte order. Pure.

LMDB takes keys of 1 to 511 bytes. A whole key becomes the text ``0x01 + key``, and one law says
where a text's value stands:

    a text of up to 510 bytes  is a physical key itself ("direct"), holding the value;
    a longer text              leads over a head: its first 510 bytes and one 0x00 (511 bytes),
                               holding a group of 9 bytes (0x02 and a number of 8 bytes), and goes
                               on as the text ``group + text[510:]`` under the same law.

So a key of 4,096 bytes is at most nine physical ones, keys that share a long prefix share the
heads, and each costs at most nine look-ups however many they are.

Why the order is byte order: let ``p`` be the 510 bytes of a head. Its group holds exactly the
texts that begin with ``p`` and are longer. A direct text ``t`` differs from ``p`` within 510 bytes
(then the head and every text of the group compare with ``t`` as ``p`` does), or is ``p`` or a
proper prefix of it (then it is before the head and before the group). Being at most 510 bytes it
cannot lie inside the group. Two heads differ within 510 bytes. Nothing else is 511 bytes long, so
the length tells a head. All texts of a group share its 9 bytes and sort by what follows, which is
never empty; and 0x02 puts the groups after all that begins with 0x01, out of every scan's way.

(Two of LMDB's named databases would need no first byte, but py-lmdb opens those only under the
writer's lock, and a reader must not wait for a writer. The byte costs about 7 % of a look-up.)
"""

from __future__ import annotations

DIRECT_BYTES_MAX = 510
HEAD_BYTES = DIRECT_BYTES_MAX + 1
KEYS = b"\1"
GROUPS = b"\2"
GROUPS_END = b"\3"
GROUP_BYTES = 9
NO_GROUP = GROUPS + bytes(8)


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
    return next_group(group)


def next_group(group: bytes) -> bytes:
    """The group after ``group``."""
    return GROUPS + (int.from_bytes(group[1:], "big") + 1).to_bytes(GROUP_BYTES - 1, "big")


def is_group(value: bytes) -> bool:
    """Whether a head's value can be a group."""
    return len(value) == GROUP_BYTES and value.startswith(GROUPS)
