"""The law of long keys keeps byte order, over a dict of physical keys and nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from maruhub.index.long_key import (
    DIRECT_BYTES_MAX,
    GROUP_BYTES,
    HEAD_BYTES,
    KEYS,
    NO_GROUP,
    group_start,
    group_stop,
    head_of,
    is_group,
    lower_bound,
    next_group,
    upper_bound,
)
from maruhub.index.protocol import KEY_BYTES_MAX

PIECES = st.sampled_from(
    [b"", b"\0", b"\1", b"z", b"\xff", b"\0" * 500, b"z" * 509, b"\xff" * 510, b"z" * 1011]
)
LONG = (
    st.lists(PIECES, min_size=1, max_size=4).map(b"".join).filter(lambda key: 0 < len(key) <= KEY_BYTES_MAX)
)


def physical_of(keys: list[bytes]) -> dict[bytes, bytes]:
    """Lay keys down as the law says; values are the keys themselves."""
    laid: dict[bytes, bytes] = {}
    last = NO_GROUP
    for key in keys:
        text = KEYS + key
        while len(text) > DIRECT_BYTES_MAX:
            if head_of(text) not in laid:
                last = next_group(last)
                laid[head_of(text)] = last
            text = laid[head_of(text)] + text[DIRECT_BYTES_MAX:]
        laid[text] = key
    return laid


def walk(laid: dict[bytes, bytes], start: bytes, stop: bytes) -> list[bytes]:
    """The keys of a range of texts, by comparing physical keys only."""
    found = []
    for physical in sorted(laid):
        if lower_bound(start) <= physical < upper_bound(stop):
            value = laid[physical]
            if len(physical) == HEAD_BYTES:
                found += walk(laid, group_start(physical, value, start), group_stop(physical, value, stop))
            else:
                found.append(value)
    return found


@settings(max_examples=300, deadline=None)
@given(st.lists(LONG, max_size=12), LONG, LONG)
def test_walk_is_byte_order(keys: list[bytes], start: bytes, stop: bytes) -> None:
    laid = physical_of(keys)
    assert all(1 <= len(physical) <= 511 for physical in laid)
    assert walk(laid, KEYS, b"\2") == sorted(set(keys))
    expected = sorted(key for key in set(keys) if start <= key < stop)
    assert (walk(laid, KEYS + start, KEYS + stop) if start < stop else []) == expected


def test_longest_key_is_nine_physical_ones() -> None:
    laid = physical_of([b"k" * KEY_BYTES_MAX])
    assert len(laid) == 9


def test_keys_share_the_heads_of_a_common_prefix() -> None:
    laid = physical_of([b"k" * 2000 + b"%06d" % number for number in range(1000)])
    heads = [physical for physical in laid if len(physical) == HEAD_BYTES]
    assert len(heads) == 3


def test_groups_are_told_from_other_values() -> None:
    assert is_group(next_group(NO_GROUP))
    assert next_group(b"\2" + b"\0" * 6 + b"\1\xff") == b"\2" + b"\0" * 6 + b"\2\0"
    assert not is_group(b"")
    assert not is_group(b"\1" * GROUP_BYTES)
    assert not is_group(NO_GROUP + b"\0")
