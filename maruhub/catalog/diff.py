"""What differs between two versions: samples added, removed, changed, and columns.

Joined by id with Arrow's hash tables; columns are compared by DuckDB over the samples that
both versions have, null and null being equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from maruhub.catalog.query import connect
from maruhub.catalog.view import View

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Diff:
    """From version ``before`` to version ``after``.

    ``added`` and ``removed`` have columns id, size, sha256; ``changed`` (other bytes under
    the same id) has id, size_before, size, sha256_before, sha256. ``columns`` has a row a
    column that differs: column, change (added, removed, changed) and rows, the number of
    common samples whose value differs.
    """

    before: str
    after: str
    added: pa.Table
    removed: pa.Table
    changed: pa.Table
    columns: pa.Table

    def __bool__(self) -> bool:
        return any(t.num_rows for t in (self.added, self.removed, self.changed, self.columns))

    def summary(self) -> dict[str, int]:
        """Counts of each."""
        return {
            "added": self.added.num_rows,
            "removed": self.removed.num_rows,
            "changed": self.changed.num_rows,
            "columns": self.columns.num_rows,
        }


_SAMPLE = ("id", "size", "sha256")


def compare(before: View, after: View) -> Diff:
    """The difference between two versions or views; order does not count."""
    import pyarrow as pa
    import pyarrow.compute as pc

    old, new = before.table(["id"]).column(0), after.table(["id"]).column(0)
    place = np.asarray(pc.fill_null(pc.index_in(new, value_set=old), -1), dtype=np.int64)
    back = np.zeros(len(old), dtype=np.bool_)
    back[place[place >= 0]] = True
    common_new = np.flatnonzero(place >= 0)
    common_old = place[common_new]
    return Diff(
        before=f"{before.dataset_name}@{before.version_name}",
        after=f"{after.dataset_name}@{after.version_name}",
        added=after.select(np.flatnonzero(place < 0)).table(_SAMPLE),
        removed=before.select(np.flatnonzero(~back)).table(_SAMPLE),
        changed=_changed(before.select(common_old), after.select(common_new)),
        columns=pa.Table.from_pylist(
            _columns(before.select(common_old), after.select(common_new)),
            schema=pa.schema([("column", pa.string()), ("change", pa.string()), ("rows", pa.int64())]),
        ),
    )


def _changed(before: View, after: View) -> pa.Table:
    """Samples of two aligned views whose bytes differ."""
    import pyarrow as pa

    differ: npt.NDArray[np.int64] = np.flatnonzero((before.sha256() != after.sha256()).any(axis=1))
    old, new = before.select(differ).table(_SAMPLE), after.select(differ).table(_SAMPLE)
    names = ["id", "size_before", "size", "sha256_before", "sha256"]
    return pa.table(
        [
            new.column("id"),
            old.column("size"),
            new.column("size"),
            old.column("sha256"),
            new.column("sha256"),
        ],
        names=names,
    )


def _columns(before: View, after: View) -> list[dict[str, object]]:
    """How attributes and labels of two aligned views differ."""
    old, new = before.manifest.user_names, after.manifest.user_names
    rows: list[dict[str, object]] = []
    rows += [{"column": name, "change": "added", "rows": len(after)} for name in new if name not in old]
    rows += [{"column": name, "change": "removed", "rows": len(before)} for name in old if name not in new]
    for name in (name for name in new if name in old):
        count = _differing(before, after, name)
        if count:
            rows.append({"column": name, "change": "changed", "rows": count})
    return rows


def _differing(before: View, after: View, name: str) -> int:
    import pyarrow as pa

    left, right = before.table([name]).column(0), after.table([name]).column(0)
    if left.equals(right):
        return 0
    if pa.types.is_null(left.type):
        return len(right) - int(right.null_count)
    if pa.types.is_null(right.type):
        return len(left) - int(left.null_count)
    with connect() as connection:
        connection.register("pairs", pa.table({"l": left, "r": right}))
        found = connection.execute("SELECT count(*) FILTER (l IS DISTINCT FROM r) FROM pairs").fetchone()
    return int(found[0])
