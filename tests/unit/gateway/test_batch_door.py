"""The batch door without a socket: what is asked comes back, in order, and rights hold."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xxhash
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maruhub.api.hub import Hub
from maruhub.errors import InvalidInput, MaruError, NoSuchBucket, NoSuchKey, PreconditionFailed, Refused
from maruhub.gateway.answer import Answer
from maruhub.gateway.batch.calls.table import Call, calls_of
from maruhub.gateway.batch.door import BatchDoor
from maruhub.gateway.batch.opened.courses import Courses
from maruhub.gateway.batch.opened.sources import Sources
from maruhub.gateway.batch.rights import Allowed
from maruhub.gateway.head import Head
from maruhub.gateway.need import Need
from maruhub.store.protocol import Store
from maruhub.wire import fault
from maruhub.wire.frame import ROW_DTYPE
from maruhub.wire.stream import Begin, Samples, StreamReader, StreamWriter, Window
from tests.bare_hub import bare_hub

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def hub(store: Store) -> Hub:
    hub = bare_hub(store)
    hub.bucket("photos").put_many({f"{i:03}.jpg": f"bytes {i} ".encode() * (i % 9) for i in range(50)})
    return hub


@pytest.fixture
def door(hub: Hub) -> BatchDoor:
    return BatchDoor(hub)


def anyone(_need: Need) -> bool:
    return True


def post(
    door: BatchDoor,
    what: str,
    body: object,
    allowed: Allowed = anyone,
    accept: str = "",
) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return door.answer(Head("POST", f"/-/batch/v1/{what}", "", (("accept", accept),)), data, allowed)


def read(answer: Answer) -> tuple[dict[str, Any], list[pa.Table], list[bytes | MaruError]]:
    """Everything of an answer, which must be whole."""
    assert answer.status == 200, answer.body
    assert not isinstance(answer.body, bytes)
    reader, about, tables = StreamReader(), {}, []
    items: dict[int, bytes | MaruError] = {}
    for chunk in answer.body:
        for event in reader.feed(chunk):
            if isinstance(event, Begin):
                about = event.about
            elif isinstance(event, Samples):
                tables.append(pa.ipc.open_stream(event.arrow).read_all())
            else:
                assert isinstance(event, Window)
                for number, part in zip(event.items, event.parts, strict=True):
                    have = items.get(number, b"")
                    assert isinstance(have, bytes)
                    items[number] = part if isinstance(part, MaruError) else have + bytes(part)
    assert reader.ended
    return about, tables, [items[number] for number in sorted(items)]


def refused(answer: Answer) -> MaruError:
    assert answer.status >= 400
    assert isinstance(answer.body, bytes)
    error = fault.from_json(json.loads(answer.body)["error"])
    assert answer.status == fault.status_of(error)
    return error


def objects(keys: Sequence[str], bucket: str = "photos", **more: Any) -> dict[str, Any]:
    return {"format": 1, "objects": [{"bucket": bucket, "keys": list(keys)}], **more}


def test_objects_come_in_the_order_asked_and_a_bad_one_fails_alone(hub: Hub, door: BatchDoor) -> None:
    keys = ["007.jpg", "none.jpg", "000.jpg", "", "003.jpg", "007.jpg"]
    _, _, items = read(post(door, "read", objects(keys)))
    photos = hub.bucket("photos")
    assert [type(item) for item in items] == [bytes, NoSuchKey, bytes, *[type(items[3])], bytes, bytes]
    assert isinstance(items[3], InvalidInput)
    assert [items[i] for i in (0, 2, 4, 5)] == [bytes(photos[keys[i]]) for i in (0, 2, 4, 5)]
    assert items[2] == b""


def test_many_runs_and_large_objects_come_whole(hub: Hub, door: BatchDoor) -> None:
    many = {f"{i:04}": f"{i}".encode() for i in range(4500)}
    large = np.random.default_rng(1).bytes((3 << 20) + 17)
    hub.bucket("many").put_many({**many, "large": large})
    keys = [*list(many)[::-1], "large", "gone", "0001"]
    _, _, items = read(post(door, "read", objects(keys, "many")))
    assert items[:4500] == [many[key] for key in keys[:4500]]
    assert items[4500] == large
    assert isinstance(items[4501], NoSuchKey)
    assert items[4502] == b"1"


@pytest.mark.parametrize(
    ("more", "accept", "verified"),
    [({}, "", True), ({"unchecked": True}, "", False), ({"unchecked": True}, "application/x-tar", True)],
)
def test_only_who_reads_frames_is_sent_what_nobody_has_looked_at(
    hub: Hub, door: BatchDoor, monkeypatch: pytest.MonkeyPatch, more: Any, accept: str, verified: bool
) -> None:
    hub.dataset("cats").commit("photos")
    read_many, asked = hub.store.read_many, []

    def noted(blobs: Any, *, verify: bool = True) -> Any:
        asked.append(verify)
        return read_many(blobs, verify=verify)

    monkeypatch.setattr(hub.store, "read_many", noted)
    for request in (
        objects(["001.jpg"]),
        {"format": 1, "samples": {"dataset": "cats"}, "rows": [1]},
        {"format": 1, "epoch": {"dataset": "cats"}, "batch_size": 7},
    ):
        answer = post(door, "read", request | more, accept=accept)
        assert not isinstance(answer.body, bytes)
        assert b"bytes 1 " in b"".join(answer.body)
        # What the dataset is made of was read before, and is always looked at.
        assert asked[-1] is verified


def test_a_read_goes_on_where_it_is_told_to(hub: Hub, door: BatchDoor) -> None:
    large = np.random.default_rng(1).bytes((3 << 20) + 17)
    hub.bucket("photos")["large"] = large
    keys = ["001.jpg", "large", "002.jpg"]
    _, _, items = read(post(door, "read", objects(keys, skip=1, skip_bytes=2 << 20)))
    assert items == [large[2 << 20 :], bytes(hub.bucket("photos")["002.jpg"])]
    with pytest.raises(InvalidInput, match="begins at byte 5"):
        read(post(door, "read", objects(keys, skip=1, skip_bytes=5)))


def test_an_object_may_be_asked_for_by_its_version(hub: Hub, door: BatchDoor) -> None:
    now = hub.bucket("photos").stat("001.jpg")
    request = {
        "format": 1,
        "objects": [
            {"bucket": "photos", "keys": ["001.jpg"] * 3, "version_ids": [None, now.version_id, "f" * 16]}
        ],
    }
    _, _, items = read(post(door, "read", request))
    assert items[:2] == [bytes(hub.bucket("photos")["001.jpg"])] * 2
    assert isinstance(items[2], MaruError)


def test_rights_are_asked_for_every_key_and_one_refusal_spares_the_others(hub: Hub, door: BatchDoor) -> None:
    def even(need: Need) -> bool:
        assert (need.action, need.bucket) == ("s3:GetObject", "photos")
        return int(need.key[:3]) % 2 == 0

    keys = [f"{i:03}.jpg" for i in range(10)]
    _, _, items = read(post(door, "read", objects(keys), even))
    assert [isinstance(item, Refused) for item in items] == [False, True] * 5
    assert items[4] == bytes(hub.bucket("photos")["004.jpg"])


def test_a_bucket_that_is_not_there_fails_its_items(door: BatchDoor) -> None:
    _, _, items = read(post(door, "read", objects(["a", "b"], "nowhere")))
    assert [type(item) for item in items] == [NoSuchBucket, NoSuchBucket]


EPOCH = {"format": 1, "epoch": {"dataset": "cats", "version": "v1"}, "seed": 7, "batch_size": 4}
LABELLED = {"epoch": {"dataset": "cats", "version": "v2"}}


@pytest.mark.parametrize(("rank", "world"), [(0, 1), (0, 3), (2, 3)])
def test_an_epoch_is_that_of_a_loader(hub: Hub, door: BatchDoor, rank: int, world: int) -> None:
    ids = hub.dataset("cats").commit("photos").ids()
    labels = pa.table({"id": ids, "label": [len(id_) for id_ in ids], "id_again": ids})
    version = hub.dataset("cats").label(labels).version
    loader = version.batches(4, seed=7, rank=rank, world=world, epochs=2)
    batches = list(loader)
    about, tables, items = read(
        post(door, "read", {**EPOCH, **LABELLED, "rank": rank, "world": world, "epochs": 2})
    )
    assert about == {"format": 1, "source": version.digest, "size": 50}
    assert items == [bytes(blob) for batch in batches for blob in batch.blobs]
    table = pa.concat_tables(tables)
    assert table.column_names[:2] == ["id", "row"]
    assert table.column(0).to_pylist() == [each for batch in batches for each in batch.ids]
    assert table.column(1).to_pylist() == [row for batch in batches for row in batch.positions.tolist()]
    assert table.select(table.column_names[2:]) == pa.concat_tables(batch.columns for batch in batches)


def test_an_epoch_goes_on_in_the_middle_of_a_step_and_ends_after_a_count(hub: Hub, door: BatchDoor) -> None:
    hub.dataset("cats").commit("photos")
    _, _, whole = read(post(door, "read", EPOCH))
    for skip in range(4):
        _, tables, items = read(post(door, "read", {**EPOCH, "from": [0, 8], "skip": skip, "count": 5}))
        assert items == whole[8 + skip : 13 + skip]
        assert sum(map(len, tables)) == 5
    assert isinstance(refused(post(door, "read", {**EPOCH, "skip": 4})), InvalidInput)


def test_a_rank_without_a_share_ends_at_once_however_many_epochs(hub: Hub, door: BatchDoor) -> None:
    hub.dataset("cats").commit("photos")
    request = {**EPOCH, "rank": 99, "world": 100, "epochs": 10**15}
    assert read(post(door, "read", request))[2] == []


def test_rows_of_a_view_come_in_the_order_asked(hub: Hub, door: BatchDoor) -> None:
    version = hub.dataset("cats").commit("photos")
    view = version.where("size > 20").sort("size", descending=True)
    source = {
        "dataset": "cats",
        "version": "v1",
        "operations": [["where", "size > 20"], ["sort", "size", True]],
    }
    rows = [3, 0, 9, 3]
    about, tables, items = read(
        post(door, "read", {"format": 1, "samples": source, "rows": rows, "columns": False})
    )
    assert about["source"] == view.digest
    assert tables[0].column_names == ["id", "row"]
    assert items == [bytes(hub.bucket("photos")[id_.split("/")[1]]) for id_ in view.ids(rows)]
    assert isinstance(
        refused(post(door, "read", {"format": 1, "samples": source, "rows": [10**6]})), InvalidInput
    )


def test_a_source_that_is_not_what_was_expected_is_refused(hub: Hub, door: BatchDoor) -> None:
    hub.dataset("cats").commit("photos")
    source = {"dataset": "cats", "version": "latest", "digest": "0" * 64}
    assert refused(post(door, "read", {**EPOCH, "epoch": source})).code == "StateMismatch"


def test_a_version_needs_the_right_to_it_and_tells_nothing_without(hub: Hub, door: BatchDoor) -> None:
    hub.dataset("cats").commit("photos")

    def only_dogs(need: Need) -> bool:
        return need.key.startswith("dogs/")

    errors = [
        refused(post(door, "read", {**EPOCH, "epoch": {"dataset": name}}, only_dogs))
        for name in ("cats", "cows")
    ]
    assert [type(error) for error in errors] == [Refused, Refused]
    assert [error.what.replace("cows", "cats") for error in errors] == [errors[0].what] * 2


def test_a_tar_archive_holds_the_same(hub: Hub, door: BatchDoor) -> None:
    hub.bucket("photos").put_many({"a/../b": b"up", "x" * 300: b"long", "é": b""})
    keys = ["001.jpg", "a/../b", "gone", "x" * 300, "é", "008.jpg"]
    answer = post(door, "read", objects(keys), accept="application/x-tar")
    assert not isinstance(answer.body, bytes)
    with tarfile.open(fileobj=io.BytesIO(b"".join(answer.body))) as archive:
        names = archive.getnames()
        bodies = {name: archive.extractfile(name).read() for name in names}  # type: ignore[union-attr]
    assert names[-1] == ".maruhub-failed.jsonl"
    assert json.loads(bodies[names[-1]])["code"] == "NoSuchKey"
    assert [bodies[name] for name in names[:-1]] == [
        bytes(hub.bucket("photos")[key]) for key in keys if key != "gone"
    ]
    assert not any(part in ("..", "") for name in names for part in name.split("/"))


def body(items: Sequence[tuple[dict[str, Any], bytes]], **about: Any) -> bytes:
    writer = StreamWriter()
    frames = [writer.begin({"bucket": "photos", "items": [item for item, _ in items], **about})]
    rows = np.zeros(len(items), ROW_DTYPE)
    rows["item"] = np.arange(len(items))
    rows["sum"] = [xxhash.xxh3_64_intdigest(data) for _, data in items]
    return b"".join([*frames, writer.window(rows, [data for _, data in items]), writer.end()])


def test_a_write_stores_everything_and_says_what(hub: Hub, door: BatchDoor) -> None:
    items = [
        ({"key": f"new{i}", "metadata": {"i": str(i)}, "mtime_ns": -5}, bytes([i]) * i) for i in range(5)
    ]
    answer = post(door, "write", body(items))
    assert answer.status == 200
    told = json.loads(answer.body)["items"]  # type: ignore[arg-type]
    infos = [hub.bucket("photos").stat(f"new{i}") for i in range(5)]
    assert [(each["etag"], each["version_id"]) for each in told] == [(i.etag, i.version_id) for i in infos]
    assert [(i.metadata, i.mtime_ns) for i in infos] == [({"i": str(n)}, -5) for n in range(5)]


def test_a_write_is_all_or_nothing(hub: Hub, door: BatchDoor) -> None:
    good = ({"key": "fine"}, b"1")
    taken = ({"key": "001.jpg", "if_none_match": True}, b"2")
    assert isinstance(refused(post(door, "write", body([good, taken]))), PreconditionFailed)
    wrong = bytearray(body([good]))
    wrong[wrong.index(b"fine") - 1 : wrong.index(b"fine")] = b"'"
    cut = body([good])[:-1]
    for broken in (bytes(wrong), cut, body([good, good]), body([({"key": ""}, b"")]), b"", b"{}"):
        assert isinstance(refused(post(door, "write", broken)), InvalidInput)

    def not_fine(need: Need) -> bool:
        return need.key != "fine"

    assert isinstance(refused(post(door, "write", body([({"key": "also"}, b""), good]), not_fine)), Refused)
    assert "fine" not in hub.bucket("photos")
    assert "also" not in hub.bucket("photos")


def test_a_write_that_comes_twice_is_stored_once(hub: Hub, door: BatchDoor) -> None:
    data = body([({"key": "once", "if_none_match": True}, b"1")], request="0123")
    first, second = (json.loads(post(door, "write", data).body) for _ in range(2))  # type: ignore[arg-type]
    assert first == second


def test_who_may_not_read_learns_no_etag(hub: Hub, door: BatchDoor) -> None:
    def may_only_put(need: Need) -> bool:
        return need.action == "s3:PutObject"

    upload = hub.namespace.uploads.begin("photos", "001.jpg").upload_id
    where = {"bucket": "photos", "key": "001.jpg", "upload_id": upload, "etags": []}
    call = {"call": "upload.complete", "arguments": {**where, "if_match": "0"}}
    write = body([({"key": "001.jpg", "if_match": "0"}, b"2")])
    for which, raw in (("write", write), ("call", call)):
        failure = refused(post(door, which, raw, may_only_put))
        assert isinstance(failure, Refused)
        assert hub.bucket("photos").stat("001.jpg").etag not in str(failure)


def test_a_bucket_is_made_only_by_who_may(hub: Hub, door: BatchDoor) -> None:
    data = body([({"key": "a"}, b"1")], create_bucket=True).replace(b"photos", b"fotoss")

    def no_buckets(need: Need) -> bool:
        return need.action != "s3:CreateBucket"

    about = {"bucket": "fresh", "create_bucket": True}
    fresh = body([({"key": "a"}, b"1")], **about)
    assert isinstance(refused(post(door, "write", fresh, no_buckets)), Refused)
    assert post(door, "write", fresh).status == 200
    assert isinstance(refused(post(door, "write", data)), InvalidInput)  # its sum is another's


def test_only_an_admin_commits(hub: Hub, door: BatchDoor) -> None:
    asked = []

    def ask(need: Need) -> bool:
        asked.append(need.action)
        return False

    call = {"call": "dataset.commit", "arguments": {"dataset": "cats", "source": "photos"}}
    assert isinstance(refused(post(door, "call", call, ask)), Refused)
    assert asked == ["maru:Admin"]
    assert hub.datasets() == []
    assert json.loads(post(door, "call", call).body) == {"result": {"version": "v1", "is_new": True}}  # type: ignore[arg-type]


KEY = {"bucket": "photos", "key": "001.jpg"}
KEYS = {"bucket": "photos", "keys": ["001.jpg"]}
CATS = {"dataset": "cats", "version": "v1"}
SOURCE = {"source": {"dataset": "cats"}}
RUN = {"run": "0" * 20}
REPORT: dict[str, Any] = {
    "source": "/data",
    "bucket": "photos",
    "prefix": "",
    "complete": True,
    "stored": 1,
    "unchanged": 0,
    "metadata_updated": 0,
    "refused_count": {},
    "bytes_read": 1,
    "bytes_stored": 1,
    "seconds": 0.1,
    "started_us": 1,
    "refused": [],
    "stopped": "",
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "bucket.names": {},
    "bucket.page": {"bucket": "photos"},
    "bucket.stat": KEYS,
    "bucket.delete": KEYS,
    "bucket.copy": {**KEY, "to": "x"},
    "bucket.copy_all": {"bucket": "photos", "prefix": "", "to": "x"},
    "bucket.undelete": KEY,
    "bucket.history": KEY,
    "bucket.retain": {"bucket": "photos", "for_s": 60},
    "bucket.create": {"bucket": "fresh"},
    "bucket.update": {"bucket": "photos", "updates": [{"key": "001.jpg", "metadata": {"a": "b"}}]},
    "bucket.keep_report": {"bucket": "photos", "report": REPORT},
    "dataset.label_sets": {"dataset": "cats"},
    "dataset.diff": {"dataset": "cats", "before": SOURCE["source"], "after": SOURCE["source"]},
    "dataset.retain": {"dataset": "cats", "for_s": 60},
    "dataset.drop_all": {"dataset": "cats"},
    "dataset.undrop_all": {"dataset": "cats"},
    "epoch.size": {"request": {"format": 1, "epoch": SOURCE["source"], "batch_size": 1}},
    "run.start": {"run": {"id": "0" * 20, "name": "r", "view": "0" * 64, "started_us": 1}},
    "run.page": {},
    "run.end": {**RUN, "state": "finished"},
    "run.claim": {**RUN, "recorder": "0" * 16, "claim": {}},
    "run.claims": RUN,
    "run.add_points": {**RUN, "writer": "0" * 16, "number": 0, "points": []},
    "run.points": RUN,
    "run.scores": RUN,
    "run.evaluate": {**RUN, **SOURCE, "metrics": {"accuracy": 1.0}},
    "upload.begin": KEY,
    "upload.complete": {**KEY, "upload_id": "0" * 16, "etags": []},
    "upload.abort": {**KEY, "upload_id": "0" * 16},
    "dataset.names": {},
    "dataset.versions": {"dataset": "cats"},
    "dataset.info": CATS,
    "dataset.commit": {"dataset": "cats"},
    "dataset.label": {"dataset": "cats", "table": ""},
    "dataset.tag": {**CATS, "tag": "t"},
    "dataset.untag": {"dataset": "cats", "tag": "t"},
    "dataset.drop": CATS,
    "dataset.undrop": CATS,
    "dataset.set_split": {"dataset": "cats"},
    "view.open": SOURCE,
    "view.table": SOURCE,
    "view.save": SOURCE,
    "sql": {"query": "SELECT 1"},
}


def calls(hub: Hub) -> Mapping[str, Call]:
    sources = Sources(hub)
    return calls_of(sources, Courses(sources))


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_call_asks_for_rights_before_it_says_or_does_anything(hub: Hub, door: BatchDoor, name: str) -> None:
    hub.dataset("cats").commit("photos")
    assert set(ARGUMENTS) == set(calls(hub))
    call = {"call": name, "arguments": ARGUMENTS[name]}
    assert isinstance(refused(post(door, "call", call, lambda *_: False)), Refused)
    assert len(hub.bucket("photos")) == 50
    assert [info.tags for info in hub.dataset("cats").versions()] == [()]


def test_what_is_denied_below_a_prefix_is_not_copied_with_it(hub: Hub, door: BatchDoor) -> None:
    def all_but(*denied: str) -> Allowed:
        return lambda need: (need.action, need.key) != denied

    call = {"call": "bucket.copy_all", "arguments": {"bucket": "photos", "prefix": "04", "to": "x/"}}
    for denied in (("s3:GetObject", "047.jpg"), ("s3:PutObject", "x/7.jpg")):
        assert isinstance(refused(post(door, "call", call, all_but(*denied))), Refused)
        assert len(hub.bucket("photos")) == 50
    answer = post(door, "call", call, all_but("s3:GetObject", "001.jpg"))
    assert answer.status == 200
    assert len(hub.bucket("photos")) == 60


@pytest.mark.parametrize("lacking", ["s3:GetObject", "s3:PutObject"])
def test_what_was_deleted_comes_back_for_whoever_may_read_and_write(
    hub: Hub, door: BatchDoor, lacking: str
) -> None:
    del hub.bucket("photos")["001.jpg"]
    call = {"call": "bucket.undelete", "arguments": {"bucket": "photos", "key": "001.jpg"}}
    assert isinstance(refused(post(door, "call", call, lambda need: need.action != lacking)), Refused)
    assert "001.jpg" not in hub.bucket("photos")
    assert post(door, "call", call).status == 200
    assert "001.jpg" in hub.bucket("photos")


def test_buckets_are_named_to_whoever_may_list_them(hub: Hub, door: BatchDoor) -> None:
    hub.bucket("secret-plans").put("x", b"x")

    def one_bucket(need: Need) -> bool:
        return need.bucket in ("", "photos")

    for allowed, names in ((one_bucket, ["photos"]), (anyone, ["photos", "secret-plans"])):
        answer = post(door, "call", {"call": "bucket.names"}, allowed)
        assert isinstance(answer.body, bytes)
        assert json.loads(answer.body) == {"result": names}


HALF = "\ud800"


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("read", {**EPOCH, "epoch": {"dataset": HALF}}),
        ("read", {**EPOCH, "epoch": {**SOURCE["source"], "operations": [["where", HALF]]}}),
        ("read", {"format": 1, "objects": [{"bucket": "photos", "keys": ["001.jpg", HALF]}]}),
        ("call", {"call": "bucket.stat", "arguments": {"bucket": "photos", "keys": [HALF]}}),
        ("call", {"call": "bucket.page", "arguments": {"bucket": "photos", "delimiter": HALF}}),
        ("call", {"call": "run.page", "arguments": {"beginning": HALF}}),
        ("call", {"call": "upload.begin", "arguments": {**KEY, "metadata": {"a": HALF}}}),
        ("call", {"call": "sql", "arguments": {"query": f"SELECT '{HALF}'"}}),
        ("call", {HALF: 1}),
        ("write", body([({"key": "a", "metadata": {HALF: "b"}}, b"1")])),
        ("write", body([({"key": HALF}, b"1")])),
        ("write", body([({"key": "a"}, b"1")], bucket=HALF)),
        ("write", body([({}, b"1")], part={**KEY, "upload_id": HALF, "number": 1})),
        ("call", b'{"call": "run.page", "arguments": {"beginning": "\xed\xa0\x80"}}'),
        ("call", {"call": "bucket.retain", "arguments": {"bucket": "photos", "for_s": 10**400}}),
        ("call", {"call": "dataset.set_split", "arguments": {**CATS, "fractions": [10**400, 1, 1]}}),
        ("read", {**EPOCH, "order": {"kind": "mixed", "shares": [10**400]}}),
    ],
)
def test_text_that_is_no_unicode_and_huge_numbers_are_refused(
    hub: Hub, door: BatchDoor, what: str, body: object
) -> None:
    hub.dataset("cats").commit("photos")
    assert isinstance(refused(post(door, what, body)), InvalidInput)


def test_a_request_of_millions_of_lists_is_not_read(door: BatchDoor) -> None:
    """Sixty-four MiB of them took 1.5 GB and five seconds in which the worker did nothing else."""
    error = refused(post(door, "read", b'{"format": [' + b"[]," * (1 << 20) + b"1]}"))
    assert isinstance(error, InvalidInput)
    assert "lists" in error.what


def test_whole_pairs_of_surrogates_are_text(hub: Hub, door: BatchDoor) -> None:
    hub.bucket("photos")["😀"] = b"smile"
    assert b"\\ud83d" in json.dumps(objects(["😀"])).encode()
    assert read(post(door, "read", objects(["😀"])))[2] == [b"smile"]


def test_every_call_stands_in_the_page_of_the_format(hub: Hub) -> None:
    page = (ROOT / "docs" / "format-batch.md").read_text()
    named = {
        line.split("`")[1] for line in page.splitlines() if line.startswith("| `") and "| `POST" not in line
    }
    assert set(calls(hub)) <= named


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = [
    "format",
    "objects",
    "samples",
    "epoch",
    "rows",
    "seed",
    "rank",
    "world",
    "batch_size",
    "from",
    "epochs",
    "order",
    "samples_per_epoch",
    "remainder",
]
requests = st.dictionaries(
    st.sampled_from([*FIELDS, "count", "columns", "skip", "call", "arguments"]), json_values
)
mutants = st.tuples(st.sampled_from(sorted(EPOCH) + FIELDS), json_values).map(
    lambda pair: {**EPOCH, pair[0]: pair[1]}
)
KINDS = ["shuffled", "sequential", "blocks", "balanced", "weighted", "curriculum", "mixed", "best"]
orders = st.dictionaries(
    st.sampled_from(["rows", "window", "column", "stages", "descending", "shares", "size"]),
    json_values | st.integers(0, 1 << 70) | st.sampled_from(["size", "id"]),
    max_size=3,
)
ordered = st.tuples(
    orders, st.sampled_from(KINDS), st.integers(0, 1 << 65), st.none() | st.integers(1, 99)
).map(
    lambda drawn: {
        **EPOCH,
        "order": {**drawn[0], "kind": drawn[1]},
        "from": [drawn[2], 0],
        "samples_per_epoch": drawn[3],
    }
)
operations = st.lists(
    st.lists(st.sampled_from(["split", "where", "sample", "sort", "select"]) | json_values, max_size=4),
    max_size=3,
).map(lambda ops: {**EPOCH, "epoch": {"dataset": "cats", "operations": ops}})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    what=st.sampled_from(["read", "write", "call", "", "../x"]),
    request_=requests | mutants | ordered | operations | st.binary(),
)
def test_no_request_does_anything_but_be_answered(
    hub: Hub, door: BatchDoor, what: str, request_: object
) -> None:
    if not hub.dataset("cats").exists:
        hub.dataset("cats").commit("photos")
    answer = post(door, what, request_)
    if isinstance(answer.body, bytes):
        return
    for _, _chunk in zip(range(20), answer.body, strict=False):
        pass
