"""What a fragment points to is told exactly, or not at all."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest

from maruhub.catalog import Catalog
from maruhub.catalog.manifests.fragment import encode_table
from maruhub.catalog.manifests.pointing import blob_extents, pointed_extents, resolver
from maruhub.catalog.row import FragmentRow
from maruhub.namespace import Namespace
from maruhub.store.format.extent import EXTENT_DTYPE
from maruhub.store.format.row import Row, encode_row
from maruhub.store.protocol import Store
from maruhub.testing.memory_store import MemoryStore


def fragments(store: Store, kind: str) -> list[Row]:
    rows = store.scan(b"F", b"G", 1000)
    return [row for row in rows if FragmentRow.decode(row).kind == kind]


def named(ns: Namespace, prefix: str) -> np.ndarray:
    infos = [info for page in ns.listing.scan("photos", prefix) for info in page]
    return np.frombuffer(b"".join(info.extents_raw for info in infos), EXTENT_DTYPE)


def test_extents_of_a_fragment(ns: Namespace, catalog: Catalog, cats, put) -> None:
    put({"cats/long.jpg": bytes(range(256)) * 12_000})
    catalog.dataset("cats").commit("photos/cats/")
    found = [resolver(ns.store)(row) for row in fragments(ns.store, "base")]
    assert len(found) == 1
    assert found[0] is not None
    assert found[0].dtype == EXTENT_DTYPE
    assert np.array_equal(np.sort(found[0]), np.sort(named(ns, "cats/")))
    assert len(found[0]) == 9 + 3


def test_a_fragment_without_blobs_points_nowhere(ns: Namespace, catalog: Catalog, put) -> None:
    put({"cats/1.jpg": b"x"}, label="cat")
    catalog.dataset("cats").commit("photos/cats/")
    for row in fragments(ns.store, "attributes"):
        found = pointed_extents(ns.store, row)
        assert found is not None
        assert len(found) == 0


def changed(row: Row, **how) -> Row:
    how = {"payload": row.payload, "extents": row.extents, "segments": row.segments} | how
    return Row(how.pop("key", row.key), encode_row(how.pop("payload"), counter=1, time_us=0, **how))


def test_whatever_is_odd_cannot_be_told(ns: Namespace, catalog: Catalog, cats) -> None:
    catalog.dataset("cats").commit("photos/cats/")
    row = fragments(ns.store, "base")[0]
    other = ns.store.append([b"no arrow file" * 100])[0]
    odd = {
        "another kind of row": changed(row, key=b"X" + row.key[1:]),
        "a segment that is not in its list": changed(row, segments=[1]),
        "other rows than it says": changed(row, payload=FragmentRow("base", 3, 1).encode()),
        "a payload of another release": changed(row, payload=b"\2{}"),
        "no Arrow file": changed(row, extents=other),
        "no bytes": changed(row, extents=()),
        "no row": Row(row.key, b"\1"),
    }
    ns.store.commit(lambda rows: rows.put(b"Zother", b"", extents=other))
    assert {name: pointed_extents(ns.store, each) for name, each in odd.items()} == dict.fromkeys(odd)
    assert pointed_extents(ns.store, changed(row)) is not None


def test_a_fragment_that_cannot_be_read() -> None:
    store = MemoryStore()
    ns = Namespace(store, "tester")
    ns.objects.put("photos", "cats/1.jpg", b"x", create_bucket=True)
    Catalog(ns).dataset("cats").commit("photos/cats/")
    row = fragments(store, "base")[0]
    assert pointed_extents(store, row) is not None
    store.rot(row.extents)
    assert pointed_extents(store, row) is None


def blob_table(values, **types) -> pa.Table:
    fields = [("segment", pa.uint64()), ("offset", pa.uint64()), ("length", pa.uint32())]
    fields += [("flags", pa.uint32()), ("checksum", pa.uint64())]
    struct = pa.struct([(name, types.get(name, kind)) for name, kind in fields])
    return pa.table({"blob": pa.array(values, pa.list_(struct))})


EXTENT = {"segment": 1, "offset": 4096, "length": 5, "flags": 0, "checksum": 7}


@pytest.mark.parametrize(
    "table",
    [
        blob_table([None]),
        blob_table([[None]]),
        blob_table([[EXTENT | {"offset": None}]]),
        blob_table([[EXTENT]], offset=pa.int64()),
        pa.table({"other": [1]}),
        pa.table({"blob": [1]}),
    ],
    ids=["null", "null extent", "null field", "other type", "no column", "no list"],
)
def test_columns_that_are_not_whole(store: Store, table: pa.Table) -> None:
    blob = store.append([encode_table(table)])[0]
    key = b"F" + hashlib.sha256(b"x").digest()[:16]
    payload = FragmentRow("base", table.num_rows, 1).encode()
    store.commit(lambda rows: rows.put(key, payload, extents=blob))
    row = Row(key, encode_row(payload, counter=1, time_us=0, extents=blob, segments=[1]))
    assert pointed_extents(store, row) is None
    assert blob_extents(store, blob) is None


def test_slices_and_batches_are_all_told(store: Store) -> None:
    extents = [EXTENT | {"offset": 4096 * n} for n in range(1, 10)]
    table = blob_table([[], extents[:2], extents[2:3], [], extents[3:]]).slice(1)
    blob = store.append([encode_table(table)])[0]
    store.commit(lambda rows: rows.put(b"F" + bytes(16), b"", extents=blob))
    found = blob_extents(store, blob)
    assert found is not None
    assert found["offset"].tolist() == [extent["offset"] for extent in extents]
