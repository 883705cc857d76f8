"""The order of an epoch that newer samples join: every one once, by the stated rule."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.errors import InvalidInput
from maruhub.loaders.following import Course, FollowedOrder, Join, new_rows
from maruhub.loaders.options import LoaderOptions
from maruhub.loaders.order import GlobalOrder
from tests.unit.loaders.sources import TableSource


class Line(TableSource):
    """Samples 0 … count - 1 of some line of versions; some are of a later revision."""

    def __init__(self, count: int, changed: frozenset[int] = frozenset()) -> None:
        ids = [f"b/{i}" for i in range(count)]
        versions = np.arange(count, dtype=np.uint64) + np.array([1000 * (i in changed) for i in range(count)])
        table = pa.table({"id": pa.array(ids, pa.string()), "version_id": versions.astype(np.uint64)})
        super().__init__(table, f"{count} {sorted(changed)}")

    def table(self, columns: list[str]) -> pa.Table:
        return self.rows.select(columns)

    def columns(self, rows: np.ndarray) -> pa.Table:
        return pa.table({"label": rows})


@given(
    size=st.integers(0, 200),
    start=st.integers(0, 200),
    fresh=st.integers(0, 200),
    new=st.integers(1, 9),
    old=st.integers(1, 9),
)
def test_every_old_and_new_one_comes_once_evenly_and_in_order(
    size: int, start: int, fresh: int, new: int, old: int
) -> None:
    start = min(start, size)
    before = GlobalOrder(size, None)
    rows = FollowedOrder(before, start, np.arange(fresh, dtype=np.uint64) + 1000, new, old, 0).rows(
        0, np.arange(size + fresh, dtype=np.uint64)
    )
    assert rows[rows < 1000].tolist() == list(range(size))
    assert rows[rows >= 1000].tolist() == list(range(1000, 1000 + fresh))
    assert rows[:start].tolist() == list(range(start))
    mixed = min(fresh // new, (size - start) // old) * (new + old)
    is_new = (rows >= 1000)[start : start + mixed].astype(int)
    counts = np.concatenate(([0], np.cumsum(is_new)))
    for length in (1, 2, new + old, 3 * (new + old) + 1):
        if length <= mixed:
            runs = counts[length:] - counts[:-length]
            assert (np.abs(runs - length * new / (new + old)) < 1).all()


def test_what_is_new_is_another_id_or_another_revision() -> None:
    assert new_rows([Line(5)], Line(8)).tolist() == [5, 6, 7]
    assert new_rows([Line(5)], Line(5)).tolist() == []
    assert new_rows([Line(5)], Line(6, frozenset({2}))).tolist() == [2, 5]
    assert new_rows([Line(5), Line(6, frozenset({2}))], Line(7, frozenset({2}))).tolist() == [6]
    assert new_rows([Line(0)], Line(2)).tolist() == [0, 1]


def test_joins_stack_in_one_epoch_and_the_next_is_the_newest_alone() -> None:
    options = LoaderOptions.of({"seed": 3})
    course = Course.of(Line(20), options)
    first = course.joined(Join(Line(30), 5, 1, 1), 2, options)
    second = first.joined(Join(Line(33), 12, 1, 3), 2, options)
    assert (first.order.size, second.order.size) == (30, 33)
    rows = second.order.rows(2, np.arange(33, dtype=np.uint64))
    names = second.source.ids(rows)
    assert len(set(rows.tolist())) == 33
    assert sorted(rows.tolist()) == [*range(20), *range(20 + 20, 20 + 30), *range(50 + 30, 50 + 33)]
    assert len(names) == 33
    before = first.order.rows(2, np.arange(12, dtype=np.uint64))
    assert rows[:12].tolist() == before.tolist()
    assert second.latest(options).source.digest == Line(33).digest
    again = Course.of(Line(20), options).joined(Join(Line(30), 5, 1, 1), 3, options)
    assert (
        again.order.rows(3, np.arange(30, dtype=np.uint64)).tolist()
        != first.order.rows(2, np.arange(30, dtype=np.uint64)).tolist()
    )


def test_what_cannot_join_is_refused() -> None:
    options = LoaderOptions.of({"seed": 3})
    course = Course.of(Line(20), options)
    for new, old in ((0, 1), (1, 0), (1, 1 << 40)):
        with pytest.raises(InvalidInput, match=r"new|old"):
            Join(Line(30), 5, new, old)
    with pytest.raises(InvalidInput, match="position 21 of 20"):
        course.joined(Join(Line(30), 21, 1, 1), 0, options)
