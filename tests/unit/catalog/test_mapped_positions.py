"""A saved view's positions in parts: the same as in one piece."""

from __future__ import annotations

import numpy as np
import pytest

from maruhub.catalog.positions import MappedPositions
from maruhub.errors import Corrupt
from maruhub.store.format.extent import Blobs
from maruhub.store.protocol import Store


@pytest.mark.parametrize("cuts", [[], [0], [1, 1, 5], [10, 20, 30, 99]])
def test_parts_give_what_the_whole_gives(cuts: list[int]) -> None:
    whole = np.random.default_rng(1).integers(0, 1 << 40, 100).astype(np.uint64)
    mapped = MappedPositions(np.split(whole, cuts))
    rows = np.random.default_rng(2).integers(0, 100, 1000)
    assert len(mapped) == 100
    assert mapped.take(rows).tolist() == whole[rows].tolist()
    assert mapped.whole().tolist() == whole.tolist()
    assert mapped.take(rows[:0]).tolist() == []


def test_they_are_read_from_many_extents(store: Store) -> None:
    whole = np.arange(3_000_000, dtype=np.uint64)[::-1].copy()
    blob = store.append([whole.tobytes()])[0]
    store.commit(lambda rows: rows.put(b"Ipositions", b"", extents=blob))
    mapped = MappedPositions.read(store, Blobs.of([blob]).extents)
    assert np.array_equal(mapped.whole(), whole)
    rows = np.array([0, 2_999_999, 1_048_576, 131_072, 131_071])
    assert mapped.take(rows).tolist() == whole[rows].tolist()
    assert len(MappedPositions.read(store, Blobs.of([()]).extents)) == 0
    odd = store.append([b"x" * 9])[0]
    store.commit(lambda rows: rows.put(b"Iodd", b"", extents=odd))
    with pytest.raises(Corrupt, match="whole numbers"):
        MappedPositions.read(store, Blobs.of([odd]).extents)
