"""The i-th live position, found without a list of them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.catalog.manifests.live_rows import LiveRows


def packed(removed: np.ndarray) -> np.ndarray:
    return np.packbits(removed, bitorder="little")


@given(st.integers(1, 3000), st.floats(0, 1), st.integers(0, 1000))
def test_it_is_what_a_list_says(positions: int, share: float, seed: int) -> None:
    removed = np.random.default_rng(seed).random(positions) < share
    live = np.flatnonzero(~removed)
    rows = LiveRows(packed(removed), positions)
    assert len(rows) == len(live)
    asked = np.random.default_rng(seed).permutation(len(live))
    assert rows.at(asked).tolist() == live[asked].tolist()


@pytest.mark.parametrize("positions", [1, 7, 8, 9, 511, 512, 513, 8 << 20, (8 << 20) + 1])
def test_nothing_behind_the_last_position_is_live(positions: int) -> None:
    bits = np.zeros(-(-positions // 8), dtype=np.uint8)
    rows = LiveRows(bits, positions)
    assert len(rows) == positions
    assert rows.at(np.array([0, positions - 1])).tolist() == [0, positions - 1]
    bits[0] = 1
    assert len(LiveRows(bits, positions)) == positions - 1
    if positions > 1:
        assert LiveRows(bits, positions).at(np.array([0])).tolist() == [1]


def test_nothing_is_live_where_there_is_nothing() -> None:
    assert len(LiveRows(np.empty(0, dtype=np.uint8), 0)) == 0
    assert len(LiveRows(np.full(2, 255, dtype=np.uint8), 12)) == 0


def test_it_costs_a_counter_for_512_positions() -> None:
    positions = 50_000_000
    bits = np.zeros(positions // 8, dtype=np.uint8)
    bits[::3] = 129
    tracemalloc.start()
    try:
        rows = LiveRows(bits, positions)
        rows.at(np.arange(100_000))
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 4 << 20
    assert peak < 64 << 20
