"""Gathering rows from chunks equals Arrow's own take, for any cut and any rows."""

from __future__ import annotations

import itertools

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
from hypothesis import given

from maruhub.catalog.arrival import base_schema
from maruhub.catalog.manifests.column_group import ColumnGroup
from maruhub.catalog.manifests.digest import column_digest
from maruhub.catalog.manifests.draft import GroupWriter, columns_of
from maruhub.catalog.manifests.manifest import Manifest
from maruhub.catalog.manifests.root import ATTRIBUTES, BASE, Group, Piece, Root
from maruhub.catalog.manifests.sample_index import SampleIndex
from maruhub.testing.memory_store import MemoryStore


def base_table(rows: int) -> pa.Table:
    """Rows with 0, 1, 2, … extents each, and root hashes that collide."""
    extents = [
        [
            {"segment": i, "offset": j, "length": i + j, "flags": 0, "checksum": 2**64 - 1 - i}
            for j in range(i % 4)
        ]
        for i in range(rows)
    ]
    return pa.table(
        {
            "id": [f"b/{i}" * (i % 3 + 1) for i in range(rows)],
            "version_id": [i * 7 for i in range(rows)],
            "size": [i * 3 for i in range(rows)],
            "sha256": [bytes([i]) * 32 for i in range(rows)],
            "root_hash": [i % 5 for i in range(rows)],
            "blob": extents,
            "content_type": ["x"] * rows,
            "created": list(range(rows)),
            "mtime": [None] * rows,
        },
        schema=base_schema(),
    )


def written(store: MemoryStore, kind: str, table: pa.Table, cuts: list[int]) -> tuple[Piece, ...]:
    writer = GroupWriter(store)
    pieces: list[Piece] = []
    bounds = [0, *sorted(cuts), table.num_rows]
    for begin, end in itertools.pairwise(bounds):
        pieces += writer.write(kind, table.slice(begin, end - begin))
    store.commit(lambda rows: [fragment.stage(rows, snapshot=rows.counter) for fragment in writer.fragments])
    return tuple(pieces)


@given(rows=st.integers(1, 30), data=st.data())
def test_gathering_equals_take(rows, data):
    store = MemoryStore()
    table = base_table(rows)
    cuts = data.draw(st.lists(st.integers(0, rows), max_size=4))
    group = Group(BASE, columns_of(table), written(store, BASE, table, cuts))
    manifest = Manifest(store, Root("d", 1, rows, rows, None, (group,)))
    picks = np.array(data.draw(st.lists(st.integers(0, rows - 1), max_size=40)), dtype=np.int64)
    expected = table.take(pa.array(picks))
    assert manifest.table(table.column_names, picks).equals(expected)
    assert manifest.ids(picks) == expected.column("id").to_pylist()
    assert manifest.numbers("root_hash", picks).tolist() == expected.column("root_hash").to_pylist()
    assert [bytes(d) for d in manifest.sha256(picks)] == expected.column("sha256").to_pylist()
    blobs = manifest.blobs(picks)
    assert blobs.starts[0] == 0
    names = blobs.extents.dtype.names
    found = [
        [dict(zip(names, extent, strict=True)) for extent in blobs.extents[begin:end].tolist()]
        for begin, end in zip(blobs.starts, blobs.starts[1:], strict=False)
    ]
    assert found == expected.column("blob").to_pylist()


@given(rows=st.integers(1, 30), data=st.data())
def test_ids_are_found_though_hashes_collide(rows, data):
    store = MemoryStore()
    table = base_table(rows)
    group = Group(BASE, columns_of(table), written(store, BASE, table, []))
    index = SampleIndex(Manifest(store, Root("d", 1, rows, rows, None, (group,))))
    known = table.column("id").to_pylist()
    asked = data.draw(st.lists(st.sampled_from([*known, "b/none", ""]), max_size=30))
    hashes = [known.index(i) % 5 if i in known else data.draw(st.integers(0, 6)) for i in asked]
    # The last row of an id counts: ids of different rows may be equal here.
    expected = [len(known) - 1 - known[::-1].index(i) if i in known else -1 for i in asked]
    same = [e < 0 or e % 5 == h for e, h in zip(expected, hashes, strict=True)]
    found = index.find(asked, np.array(hashes, dtype=np.uint64))
    assert [f for f, s in zip(found.tolist(), same, strict=True) if s] == [
        e for e, s in zip(expected, same, strict=True) if s
    ]


@given(rows=st.integers(1, 20), nulls=st.integers(0, 5), past=st.integers(0, 5), data=st.data())
def test_null_runs_and_missing_columns(rows, nulls, past, data):
    store = MemoryStore()
    full = pa.table({"a": list(range(rows)), "b": [str(i) for i in range(rows)]})
    head = written(store, ATTRIBUTES, full.select(["a"]), [])
    tail = written(store, ATTRIBUTES, full, data.draw(st.lists(st.integers(0, rows), max_size=2)))
    gap = (Piece(None, nulls),) if nulls else ()
    total = 2 * rows + nulls + past
    group = ColumnGroup(store, Group(ATTRIBUTES, columns_of(full), (*head, *gap, *tail)), total)
    a = [*range(rows), *[None] * nulls, *range(rows), *[None] * past]
    b = [*[None] * (rows + nulls), *map(str, range(rows)), *[None] * past]
    assert group.column("a").to_pylist() == a
    assert group.column("b").to_pylist() == b
    picks = np.array(data.draw(st.lists(st.integers(0, total - 1), max_size=30)), dtype=np.int64)
    taken = group.take(["b", "a"], picks)
    assert taken["a"].to_pylist() == [a[i] for i in picks]
    assert taken["b"].to_pylist() == [b[i] for i in picks]


@given(
    values=st.lists(st.one_of(st.none(), st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=3))),
    data=st.data(),
)
def test_a_digest_knows_values_and_no_cuts(values, data):
    array = pa.array(values, pa.list_(pa.string()))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=4)))
    bounds = [0, *cuts, len(values)]
    parts = [array.slice(b, e - b) for b, e in itertools.pairwise(bounds)]
    assert column_digest("x", parts) == column_digest("x", [array])
    other = data.draw(st.lists(st.one_of(st.none(), st.lists(st.text(max_size=3), max_size=3))))
    same = column_digest("x", [pa.array(other, pa.list_(pa.string()))]) == column_digest("x", [array])
    assert same == (other == values)
