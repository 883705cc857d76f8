"""An ingest as a whole: again, after a kill, when the hub is full."""

from __future__ import annotations

import dataclasses
import gc
import os
import threading
import weakref
from pathlib import Path

import pytest

from maruhub.errors import BladeLost, InvalidInput, InvalidName, NoSpace, ReadOnly
from maruhub.ingest import IngestOptions, Progress, Report, Reports, ingest
from maruhub.namespace import Namespace
from maruhub.namespace.usage import Stock
from maruhub.testing.memory_store import MemoryStore


def test_a_second_ingest_reads_and_copies_nothing(land, tree) -> None:
    tree.write({f"{i}.bin": bytes([i]) * i for i in range(100)})
    assert land(tree.path, batch_items=7).stored == 100
    again = land(tree.path)
    assert (again.stored, again.unchanged, again.bytes_read, again.bytes_stored) == (0, 100, 0, 0)


def test_recheck_reads_all_and_copies_nothing(land, tree) -> None:
    tree.write({"a": b"a", "b": b"bb", "large": b"l" * 100})
    land(tree.path, large_bytes=50)
    again = land(tree.path, recheck=True, large_bytes=50)
    assert (again.stored, again.unchanged, again.bytes_read) == (0, 3, 103)


def test_recheck_finds_what_size_and_time_hide(land, tree) -> None:
    tree.write({"a": b"old", "large": b"l" * 100})
    land(tree.path, large_bytes=50)
    tree.write({"a": b"new", "large": b"L" * 100})
    assert land(tree.path, large_bytes=50).unchanged == 2
    assert land(tree.path, recheck=True, large_bytes=50).stored == 2
    assert land.objects() == {"a": b"new", "large": b"L" * 100}


@pytest.mark.parametrize("large_bytes", [0, 1000])
def test_another_time_and_the_same_bytes_change_the_time_only(land, tree, ns, large_bytes) -> None:
    tree.write({"a": b"a", "b": b"b"})
    land(tree.path)
    before = ns.objects.head("photos", "a").extents_raw
    os.utime(tree.path / "a", ns=(5, 5))
    report = land(tree.path, large_bytes=large_bytes)
    assert (report.stored, report.metadata_updated, report.unchanged) == (0, 1, 1)
    info = ns.objects.head("photos", "a")
    assert (info.mtime_ns, info.extents_raw) == (5, before)
    assert land(tree.path).unchanged == 2
    usage = ns.quotas.usage("photos")
    assert (usage.number(Stock.OBJECT), usage.number(Stock.HIDDEN)) == (2, 1)


def test_labels_given_later_change_labels_only(land, tree, ns) -> None:
    tree.write({"cat/1": b"1", "dog/2": b"2"})
    land(tree.path)
    ns.objects.update_metadata("photos", "cat/1", metadata={"mine": "kept"})
    report = land(tree.path, labels="folder")
    assert (report.stored, report.metadata_updated, report.bytes_read) == (0, 2, 0)
    assert land.metadata("cat/1") == {"mine": "kept", "label": "cat"}
    assert land(tree.path, labels="folder").unchanged == 2


def test_changed_bytes_are_a_new_version_and_the_old_one_is_restorable(land, tree, ns) -> None:
    tree.write({"a": b"old"})
    land(tree.path)
    tree.write({"a": b"newer"})
    assert land(tree.path).stored == 1
    assert land.objects() == {"a": b"newer"}
    assert len(ns.past.history("photos", "a")) >= 2


def test_large_objects_are_streamed(land, tree, ns) -> None:
    data = os.urandom((9 << 20) + 17)
    tree.write({"large": data, "small": b"s"})
    report = land(tree.path, large_bytes=1 << 20)
    assert (report.stored, report.bytes_stored) == (2, len(data) + 1)
    assert land.objects()["large"] == data


def test_an_empty_folder_makes_an_empty_bucket(land, tree, ns) -> None:
    report = land(tree.path)
    assert (report.stored, report.complete) == (0, True)
    assert [bucket.name for bucket in ns.buckets.all()] == ["photos"]


def test_a_bad_bucket_name_or_option(ns, tree, store) -> None:
    tree.write({"a": b"a"})
    with pytest.raises(InvalidName):
        ingest(ns, tree.path, "No Bucket")
    for wrong in ({"workers": -1}, {"batch_items": 0}, {"labels": "guess"}, {"include": ("",)}):
        with pytest.raises(InvalidInput):
            IngestOptions(**wrong)
    assert ns.buckets.all() == []


def test_what_the_hub_itself_refuses_spares_the_rest(land, tree, reasons) -> None:
    # Control characters take six bytes each in a row: these labels do not fit in one.
    tree.write({f"{i}.jpg": b"i" for i in range(9)} | {"4.txt": b"\x01" * 20_000})
    report = land(tree.path, labels="sidecar")
    assert reasons(report) == {"4.jpg": "invalid"}
    assert sorted(land.objects()) == [f"{i}.jpg" for i in range(9) if i != 4]


class FullStore(MemoryStore):
    """Takes so many bytes, then says what ``error`` says."""

    def __init__(self, room: int, error: type[Exception]) -> None:
        super().__init__()
        self.room = room
        self.error = error

    def append(self, blobs, *args):
        if sum(map(len, blobs)) > self.room:
            raise self.error("No blade has room.", hint="Add a blade.")
        self.room -= sum(map(len, blobs))
        return super().append(blobs, *args)


@pytest.mark.parametrize("error", [NoSpace, BladeLost, ReadOnly])
def test_a_full_hub_keeps_what_it_took_and_says_so(tree, error) -> None:
    tree.write({f"{i:03}": bytes([i]) * 1000 for i in range(100)})
    store = FullStore(55_000, error)
    ns = Namespace(store)
    options = IngestOptions(workers=3, batch_items=10)
    with pytest.raises(error, match=r"50 objects are stored and stay; the same ingest goes on") as caught:
        ingest(ns, tree.path, "photos", options=options)
    assert "Add a blade" in str(caught.value)
    kept = [info for page in ns.listing.scan("photos") for info in page]
    assert len(kept) == 50
    assert all(info.size == 1000 for info in kept)
    store.room = 1 << 30
    report = ingest(ns, tree.path, "photos", options=options)
    assert (report.stored, report.unchanged) == (50, 50)


def test_the_report_of_a_run_cut_short_stands_in_the_hub(tree) -> None:
    tree.write({f"{i:03}": bytes([i]) * 1000 for i in range(30)})
    store = FullStore(15_000, BladeLost)
    ns = Namespace(store)
    with pytest.raises(BladeLost):
        ingest(ns, tree.path, "photos", options=IngestOptions(workers=1, batch_items=10))
    report = Reports(ns).last(str(tree.path), "photos")
    assert report is not None
    assert (report.complete, report.stored) == (False, 10)
    assert "No blade has room" in report.stopped


def test_an_interrupt_leaves_whole_batches(tree, ns, monkeypatch) -> None:
    tree.write({f"{i:03}": bytes([i]) * 1000 for i in range(100)})
    put_many = ns.objects.put_many
    calls = []

    def interrupted(*args, **how):
        done = put_many(*args, **how)
        calls.append(len(done))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(ns.objects, "put_many", interrupted)
    options = IngestOptions(workers=2, batch_items=10)
    with pytest.raises(KeyboardInterrupt):
        ingest(ns, tree.path, "photos", options=options)
    assert not [t for t in threading.enumerate() if t.name.startswith("maru-ingest")]
    kept = sum(len(page) for page in ns.listing.scan("photos"))
    assert kept == sum(calls)
    assert kept < 100
    monkeypatch.undo()
    report = ingest(ns, tree.path, "photos", options=options)
    assert (report.unchanged, report.stored) == (kept, 100 - kept)


def test_memory_is_bounded_by_batches(tree, ns, monkeypatch) -> None:
    tree.write({f"{i:03}": b"x" * 1000 for i in range(50)})
    sizes = []
    put_many = ns.objects.put_many

    def watched(bucket, items, **how):
        sizes.append(sum(len(item.data) for item in items))
        return put_many(bucket, items, **how)

    monkeypatch.setattr(ns.objects, "put_many", watched)
    ingest(ns, tree.path, "photos", options=IngestOptions(workers=2, batch_bytes=5000))
    assert max(sizes) <= 5000
    assert sum(sizes) == 50_000


def test_progress_reaches_the_whole(tree, ns) -> None:
    tree.write({f"{i:03}": b"x" * 10 for i in range(300)})
    told: list[Progress] = []
    ingest(ns, tree.path, "photos", progress=told.append)
    last = told[-1]
    assert (last.items_done, last.items_total, last.bytes_done, last.bytes_total) == (300, 300, 3000, 3000)
    assert last.total_known
    assert last.stored == 300


def test_reports_are_kept_one_a_source_and_place(land, ns, tree) -> None:
    tree.write({"a": b"a"})
    os.mkfifo(tree.path / "pipe")
    land(tree.path, "p")
    land(tree.path, "p")
    land(tree.path, "q")
    reports = Reports(ns)
    assert len(reports.all()) == 2
    last = reports.last(str(tree.path), "photos", "p")
    assert last is not None
    assert (last.unchanged, last.refused[0].name, last.refused[0].reason) == (1, "pipe", "special")
    assert reports.last(str(tree.path), "photos", "other") is None


def test_a_relative_path_is_filed_whole(land, ns, tree, monkeypatch) -> None:
    tree.write({"a": b"a"})
    monkeypatch.chdir(tree.path.parent)
    land("source")
    assert Reports(ns).last(tree.path and str(tree.path), "photos") is not None


def test_reports_go_through_json(land, tree) -> None:
    os.mkfifo(tree.path / "pipe")
    report = land(tree.path)
    assert Report.from_json(report.to_json()) == report


def test_refusals_beyond_the_bound_are_counted(land, tree) -> None:
    for i in range(20):
        os.mkfifo(tree.path / f"pipe{i}")
    report = land(tree.path, refusals_max=5)
    assert (len(report.refused), report.refused_total) == (5, 20)


def test_options_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        IngestOptions().workers = 3  # type: ignore[misc]


def test_an_object_replaced_meanwhile_does_not_get_the_files_time(
    land, tree, ns, monkeypatch, reasons
) -> None:
    tree.write({"a": b"a", "b": b"b"})
    land(tree.path)
    os.utime(tree.path / "a", ns=(5, 5))
    os.utime(tree.path / "b", ns=(5, 5))
    head_many = ns.objects.head_many

    def raced(bucket, keys):
        found = head_many(bucket, keys)
        ns.objects.put("photos", "a", b"A")
        return found

    monkeypatch.setattr(ns.objects, "head_many", raced)
    report = land(tree.path)
    assert reasons(report) == {"a": "changed"}
    assert ns.objects.head("photos", "b").mtime_ns == 5
    assert ns.objects.head("photos", "a").mtime_ns is None
    assert Path(tree.path / "a").read_bytes() == b"a"


def test_what_ended_an_ingest_is_held_no_longer_than_it_takes_to_say_so(tree, ns) -> None:
    class Broken(Exception):
        pass

    told: list[weakref.ref] = []

    def tell(_: Progress) -> None:
        error = Broken()
        told.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    tree.write({"a": b"a"})
    gc.disable()
    try:
        with pytest.raises(Broken) as broken:
            ingest(ns, tree.path, "photos", progress=tell)
        del broken
        assert [error() for error in told] == [None] * len(told)
    finally:
        gc.enable()
