"""The rows as ``docs/format-names.md`` lays them out, read with the standard library alone."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from maruhub.errors import UnsupportedFormat
from maruhub.namespace import Namespace
from maruhub.namespace.bucket import Versioning, decode_bucket
from maruhub.namespace.object import decode_head
from maruhub.store.format.row import Row, encode_row
from maruhub.store.protocol import Store


def payloads(store: Store) -> dict[bytes, bytes]:
    return {row.key: row.payload for row in store.scan(b"B", b"W", 100)}


def test_rows_as_documented(store: Store) -> None:
    ns = Namespace(store, actor="ann")
    bucket = ns.buckets.create("photos", delay_s=60)
    first = ns.objects.put("photos", "a\0b", b"hello", metadata={"label": "cat"}, mtime_ns=9, request=b"r1")
    second = ns.objects.put("photos", "a\0b", b"")
    rows = payloads(store)
    bucket_id = bucket.id.to_bytes(8, "big")
    hidden_key = b"V" + bucket_id + b"b\1c" + b"\0" + (2**64 - 1 - first.counter).to_bytes(8, "big")
    assert list(rows) == [b"Bphotos", b"C" + bucket_id, b"K" + bucket_id + b"a\0b", hidden_key]

    version, flags, zero16, zero32, id_, delay, created, hidden, eradicate = struct.unpack(
        "<BBHIQqqqq", rows[b"Bphotos"]
    )
    assert (version, flags, zero16, zero32, id_, delay) == (1, 0, 0, 0, bucket.id, 60_000_000)
    assert (created, hidden, eradicate) == (bucket.created_us, 0, 0)

    current = struct.unpack("<BBHIQqQQq16s32s", rows[b"K" + bucket_id + b"a\0b"])
    assert current == (1, 1, 0, 0, 0, -(2**63), 0, 0, 0, hashlib.md5().digest(), hashlib.sha256().digest())

    head = struct.unpack_from("<BBBBIQqqq", rows[hidden_key])
    assert head[:7] == (1, 1, 3, 2, 0, first.counter, first.time_us)
    assert head[8] - head[7] == 60_000_000
    rest = rows[hidden_key][40:]
    assert rest[:5] == b"annr1"
    old = struct.unpack_from("<BBHIQqQQq16s32s", rest, 5)
    assert old[4:6] == (5, 9)
    assert old[-1] == hashlib.sha256(b"hello").digest()
    assert json.loads(rest[5 + 96 :]) == {"meta": {"label": "cat"}}
    assert second.counter > first.counter


def test_deleted_bucket_row(store: Store) -> None:
    ns = Namespace(store)
    bucket = ns.buckets.create("photos", delay_s=60)
    ns.buckets.delete("photos")
    (key, payload), _ = payloads(store).items()
    assert key[:-8] == b"B\0photos\0"
    _, _, _, _, id_, _, _, hidden, eradicate = struct.unpack("<BBHIQqqqq", payload)
    assert (id_, eradicate - hidden) == (bucket.id, 60_000_000)


def test_floors_of_a_shortened_delay(store: Store) -> None:
    ns = Namespace(store)
    ns.buckets.create("photos", delay_s=60)
    ns.buckets.set_delay("photos", 5)
    tail = json.loads(payloads(store)[b"Bphotos"][48:])
    ((until, delay),) = tail["floors"]
    assert delay == 60_000_000
    assert until <= store.pool_time_us()


def test_unknown_fields_are_kept(store: Store, ns: Namespace) -> None:
    """What a later release added to a row survives what this one does to it."""
    info = ns.objects.put("photos", "k", b"x", metadata={"a": "1"})
    bucket = ns.buckets.get("photos")
    key = b"K" + bucket.id_bytes + b"k"
    payload = info.payload[:96] + b'{"meta":{"a":"1"},"shelf":7}'
    store.commit(lambda rows: rows.put(key, payload, extents=info.extents))
    ns.objects.update_metadata("photos", "k", metadata={"a": "2"})
    assert ns.objects.copy("photos", "k", "photos", "copy").tail["shelf"] == 7
    ns.objects.delete("photos", "k")
    assert ns.past.undelete("photos", "k").tail == {"meta": {"a": "2"}, "shelf": 7}


def test_rows_of_a_newer_release_are_refused() -> None:
    with pytest.raises(UnsupportedFormat):
        decode_head(b"\2" + bytes(95))
    with pytest.raises(UnsupportedFormat):
        decode_head(b"\1")
    with pytest.raises(UnsupportedFormat):
        decode_bucket(Row(b"Bphotos", encode_row(b"\2" + bytes(47), counter=1, time_us=1)))


def test_the_documented_reader_reads_what_the_namespace_writes(store: Store) -> None:
    page = (Path(__file__).parents[3] / "docs" / "format-names.md").read_text()
    source = page.partition("```python\n")[2].partition("```")[0]
    reader: dict[str, Any] = {}
    exec(compile(source, "format-names.md", "exec"), reader)

    ns = Namespace(store, actor="ann")
    bucket = ns.buckets.create("photos", delay_s=60)
    old = ns.objects.put("photos", "a\0b/ü", b"hello", metadata={"l": "1"}, mtime_ns=-1, request=b"r")
    new = ns.objects.copy("photos", "a\0b/ü", "photos", "a\0b/ü", content_type="t/x")
    rows = {row.key[:1]: row for row in store.scan(b"B", b"W", 9)}
    b, k, v = rows[b"B"], rows[b"K"], rows[b"V"]
    assert reader["bucket"](b.key, b.payload)["name"] == "photos"
    common = {"bucket": bucket.id, "key": "a\0b/ü", "size": 5, "etag": old.etag, "sha256": old.sha256.hex()}
    common |= {"mtime_ns": -1, "meta": {"l": "1"}}
    found = reader["current"](k.key, k.payload, k.counter)
    assert found == common | {
        "version_id": new.version_id,
        "origin": 2,
        "source": old.version_number,
        "type": "t/x",
        "from": {"bucket": "photos", "key": "a\0b/ü"},
    }
    (hidden,) = ns.past.versions("photos")
    assert reader["hidden"](v.key, v.payload) == common | {
        "version_id": old.version_id,
        "origin": 1,
        "source": 0,
        "why": "overwritten",
        "listed": False,
        "made_by": "ann",
        "hidden_us": hidden.hidden_pool_us,
        "kept_until_us": hidden.eradicate_at_us,
    }
    ns.objects.delete("photos", "a\0b/ü")
    ns.buckets.delete("photos")
    ns.buckets.create("kept")
    ns.buckets.set_versioning("kept", Versioning.ENABLED)
    ns.versions.delete_current("kept", ["a"])
    marker = store.scan(b"V", b"W", 9)[-1]
    read = reader["hidden"](marker.key, marker.payload)
    assert (read["key"], read["why"], read["listed"], read["size"]) == ("a", "marker", True, 0)
    gone = next(row for row in store.scan(b"B", b"C", 9))
    assert reader["bucket"](gone.key, gone.payload)["name"] == "photos"
    assert reader["bucket"](gone.key, gone.payload)["deleted_us"] > 0
