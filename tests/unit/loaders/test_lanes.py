"""Many permutations at once: each one whole, and the same as in the last release."""

from __future__ import annotations

import numpy as np
import pytest

from maruhub.loaders.lanes import Interleaving, Lanes, base_key, keyed, permute_each

GOLDEN_KEY = 14225719721034260843
GOLDEN_ROWS = [9, 8, 1, 6, 7, 5, 2, 0, 4, 3]
GOLDEN_KEYED = [8875350024871729752, 14854684953035861240]
GOLDEN_DRAWS = [2, 1, 0, 4, 7, 0]


def u64(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def test_each_size_and_key_is_a_permutation_of_its_own() -> None:
    sizes = [*range(1, 130), 4095, 4096, 4097, 10_007]
    positions = np.concatenate([np.arange(n, dtype=np.uint64) for n in sizes])
    owners = np.repeat(np.arange(len(sizes)), sizes)
    of_each = np.array(sizes, dtype=np.uint64)[owners]
    keys = keyed(base_key(7, b"test"), owners.astype(np.uint64))
    rows = permute_each(positions, of_each, keys)
    for i, n in enumerate(sizes):
        assert sorted(rows[owners == i].tolist()) == list(range(n))


def test_positions_of_huge_sizes_stay_within_them() -> None:
    sizes = u64((1 << 53) + 1, (1 << 61) - 1, 1 << 62)
    rows = permute_each(sizes - np.uint64(1), sizes, u64(1, 2, 3))
    assert (rows < sizes).all()


def test_a_single_permutation_of_many_keys_reaches_all_orders_equally_often() -> None:
    keys = keyed(base_key(3, b"chance"), np.arange(24_000, dtype=np.uint64))
    orders = np.zeros(24_000, dtype=np.int64)
    for place in range(4):
        orders = orders * 4 + permute_each(
            np.full(24_000, place, dtype=np.uint64), np.full(24_000, 4, dtype=np.uint64), keys
        ).astype(np.int64)
    counts = np.unique(orders, return_counts=True)[1]
    assert len(counts) == 24
    chi2 = float(((counts - 1000) ** 2 / 1000).sum())
    assert chi2 < 60  # 23 degrees of freedom: one in thirty thousand is above


def test_values_are_frozen() -> None:
    sizes = np.full(10, 10, dtype=np.uint64)
    rows = permute_each(np.arange(10, dtype=np.uint64), sizes, np.full(10, base_key(0, b"golden")))
    assert base_key(0, b"golden") == GOLDEN_KEY
    assert rows.tolist() == GOLDEN_ROWS
    assert keyed(np.uint64(1), u64(2, 3)).tolist() == GOLDEN_KEYED
    lanes = Lanes(u64(3, 5), np.uint64(9))
    assert lanes.draw(u64(0, 0, 0, 1, 1, 0), u64(0, 1, 2, 0, 1, 3)).tolist() == GOLDEN_DRAWS


@pytest.mark.parametrize("shares", [(1,), (3, 1), (0, 2, 5), (1,) * 100, (999, 1)])
def test_every_round_holds_each_part_by_its_share(shares: tuple[int, ...]) -> None:
    period = sum(shares)
    sequence = Interleaving(u64(*shares), np.uint64(5))
    parts, turns = sequence.at(np.arange(3 * period, dtype=np.uint64))
    for each in range(3):
        counts = np.bincount(
            parts[each * period : (each + 1) * period].astype(np.int64), minlength=len(shares)
        )
        assert counts.tolist() == list(shares)
    for part, share in enumerate(shares):
        assert sorted(turns[parts == part].tolist()) == list(range(3 * share))


def test_rounds_have_orders_of_their_own() -> None:
    parts, _ = Interleaving(u64(*(1,) * 16), np.uint64(5)).at(np.arange(160, dtype=np.uint64))
    assert len({tuple(row) for row in parts.reshape(10, 16).tolist()}) == 10


def test_a_lane_gives_each_row_once_before_any_again() -> None:
    lanes = Lanes(u64(1, 7, 1000), np.uint64(4))
    for part, (start, size) in enumerate([(0, 1), (1, 7), (8, 1000)]):
        turns = np.arange(3 * size, dtype=np.uint64)
        rows = lanes.draw(np.full(3 * size, part, dtype=np.uint64), turns).reshape(3, size)
        for once in rows:
            assert sorted(once.tolist()) == list(range(start, start + size))
    assert rows[0].tolist() != rows[1].tolist()
