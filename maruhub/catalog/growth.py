"""How a version grows into the next: new rows behind the old ones, removals marked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from maruhub.catalog.arrival import Arrivals, attribute_names, base_schema
from maruhub.catalog.manifests.column_group import ColumnGroup, RowArray
from maruhub.catalog.manifests.draft import (
    Draft,
    GroupWriter,
    columns_of,
    digest_of,
    group_id,
    removal_bits,
    spread,
)
from maruhub.catalog.manifests.manifest import Manifest
from maruhub.catalog.manifests.root import ATTRIBUTES, BASE, LABELS, Column, Group, Root
from maruhub.store.protocol import Store

if TYPE_CHECKING:
    import pyarrow as pa


class Growth:
    """Makes the draft of a commit.

    Args:
        store: Where fragments go.
        before: The version before (None: this is the first).
        arrivals: What the listing brought.
        repack: ``arrivals`` are all rows: start a new row space without removed rows.
    """

    def __init__(
        self, store: Store, before: Manifest | None, arrivals: Arrivals, *, repack: bool = False
    ) -> None:
        self._writer = GroupWriter(store)
        self._before = before
        self._kept = None if repack else before
        self._arrivals = arrivals
        self._start = 0 if self._kept is None else self._kept.root.positions
        self._new: dict[str, pa.Table] = {}

    def draft(self, dataset: str, number: int) -> Draft:
        """Writes the fragments, names them in a root, and sums it up."""
        with self._writer.drafting():
            return self._draft(dataset, number)

    def _draft(self, dataset: str, number: int) -> Draft:
        positions = self._start + self._arrivals.base.num_rows
        groups = [self._base()]
        attributes = self._attributes()
        groups += [attributes] if attributes else []
        groups += [self._labels(group) for group in self._old(LABELS)]
        removed = self._removed(positions)
        name = self._writer.write_removals(removed) if removed.any() else None
        digest = digest_of(groups, self._column, removal_bits(removed), positions)
        live = positions - int(removed.sum())
        root = Root(dataset, number, positions, live, name, tuple(groups))
        return Draft(root, digest, self._writer.fragments)

    def _old(self, kind: str) -> list[ColumnGroup]:
        return [] if self._before is None else [g for g in self._before.groups if g.group.kind == kind]

    def _kept_group(self, group: ColumnGroup | None) -> ColumnGroup | None:
        return None if self._kept is None else group

    def _base(self) -> Group:
        old = next(iter(self._old(BASE)), None)
        table = self._arrivals.base
        group = Group(BASE, columns_of(base_schema().empty_table()), ())
        self._new[group_id(group)] = table
        return replace(
            group, pieces=self._writer.extend(BASE, self._kept_group(old), table, start=self._start)
        )

    def _attributes(self) -> Group | None:
        old = next(iter(self._old(ATTRIBUTES)), None)
        table = self._arrivals.attributes
        if table is None:
            return None if self._kept is None or old is None else old.group
        known = {column.key: column.name for column in old.group.columns} if old else {}
        taken = [*base_schema().names, *(name for g in self._old(LABELS) for name in g.names)]
        names = attribute_names(table.column_names, known, taken)
        table = table.rename_columns([names[key] for key in table.column_names])
        kept = self._kept_group(old)
        present = {*table.column_names, *(kept.names if kept else ())}
        columns = tuple(Column(name, "string", key) for key, name in names.items() if name in present)
        group = Group(ATTRIBUTES, columns, ())
        self._new[group_id(group)] = table
        return replace(group, pieces=self._writer.extend(ATTRIBUTES, kept, table, start=self._start))

    def _labels(self, old: ColumnGroup) -> Group:
        """A label set follows its samples: a replaced or returned sample keeps its labels."""
        table = self._carried(old)
        if table is None:
            return old.group
        self._new[group_id(old.group)] = table
        pieces = self._writer.extend(LABELS, self._kept_group(old), table, start=self._start)
        return replace(old.group, pieces=pieces)

    def _carried(self, old: ColumnGroup) -> pa.Table | None:
        """Labels of the new rows; None if none has any (then the set just ends earlier)."""
        import pyarrow as pa

        earlier = self._arrivals.earlier
        known = np.flatnonzero(earlier >= 0)
        if old.group.by == "digest":
            known = known[self._same_bytes(known)]
        if not len(known) and self._kept is not None:
            return None
        taken = old.take(old.names, earlier[known])
        columns = {name: spread(array, known, len(earlier)) for name, array in taken.items()}
        empty = all(array.null_count == len(array) for array in columns.values())
        return None if empty and self._kept is not None else pa.table(columns)

    def _same_bytes(self, known: RowArray) -> RowArray:
        """Which of ``known`` replace a row of the same content."""
        assert self._before is not None
        column = self._arrivals.base.column("sha256").combine_chunks()
        flat = np.frombuffer(column.buffers()[1] or b"", dtype=np.uint8).reshape(-1, 32)
        new = flat[column.offset :][known]
        same = (new == self._before.sha256(self._arrivals.earlier[known])).all(axis=1)
        return np.flatnonzero(same)

    def _column(self, group: Group, name: str) -> Iterator[Any]:
        """A column's arrays: the kept rows, then the new ones; null where one lacks it."""
        import pyarrow as pa

        table = self._new.get(group_id(group))
        old = self._kept.column(name) if self._kept is not None and name in self._kept.names else None
        new = table.column(name) if table is not None and name in table.column_names else None
        kind = new.type if new is not None else old.type if old is not None else pa.null()
        for part, length in ((old, self._start), (new, self._arrivals.base.num_rows)):
            yield from [pa.nulls(length, kind)] if part is None else part.chunks

    def _removed(self, positions: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        removed = np.zeros(positions, dtype=np.bool_)
        if self._kept is not None:
            if self._kept.removed is not None:
                removed[: self._start] = self._kept.removed
            removed[self._arrivals.gone] = True
        return removed
