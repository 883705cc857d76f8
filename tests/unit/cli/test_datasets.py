"""How a difference between versions is shown."""

from __future__ import annotations

import pyarrow as pa

from maruhub.catalog.diff import Diff
from maruhub.cli.datasets import diff_lines


class Counted:
    """A table that counts the rows that become Python objects."""

    def __init__(self, rows: int) -> None:
        self.num_rows = rows
        self.asked = 0

    def slice(self, at: int, length: int) -> Counted:
        self.asked = min(length, self.num_rows - at)
        return self

    def column(self, name: str) -> pa.ChunkedArray:
        return pa.chunked_array([[f"{name}{i}" for i in range(self.asked)]])


def test_a_large_difference_shows_its_first_samples_and_counts_the_rest() -> None:
    added, removed, none = Counted(200_000), Counted(3), Counted(0)
    columns = pa.table({"column": ["label"], "change": ["changed"], "rows": [7]})
    lines = list(diff_lines(Diff("a@v1", "a@v2", added, removed, none, columns)))
    assert lines[0] == "From a@v1 to a@v2: 200000 added, 3 removed, 0 changed, 1 column."
    assert lines[1:21] == [f"+ id{i}" for i in range(20)]
    assert lines[21:] == ["+ … 199980 more", "- id0", "- id1", "- id2", "column label: changed, 7 samples"]
