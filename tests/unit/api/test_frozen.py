"""A version read as a bucket: the bytes of then, ids in order, folders, nothing of other keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import maruhub
from maruhub.api.export import export_folder
from maruhub.api.frozen import FrozenBucket, frozen_bucket, version_folders
from maruhub.api.hub import Hub
from maruhub.errors import InvalidInput, NoSuchDataset, NoSuchKey, NoSuchVersion
from maruhub.namespace.address import DatasetAddress

KEYS = ["a", "a/b", "a/c/d", "ab", "é/ü", "x//y", "../up", "nul\0/x"]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with maruhub.create(tmp_path / "hub") as opened:
        yield opened


def _frozen(hub: Hub, version: str = "v1") -> FrozenBucket:
    return frozen_bucket(hub, DatasetAddress("set", version))


def _filled(hub: Hub) -> None:
    hub.bucket("one").put_many({key: key.encode() * 3 for key in KEYS})
    hub.bucket("two").put_many({"z": b"zz"})
    hub.dataset("set").commit(["one", "two"])


def test_ids_come_in_the_order_of_their_bytes_and_of_the_prefix(hub: Hub) -> None:
    _filled(hub)
    bucket = _frozen(hub)
    wanted = sorted([f"one/{key}" for key in KEYS] + ["two/z"], key=str.encode)
    assert [found.key for found in bucket.list()] == wanted
    assert [found.key for found in bucket.list("one/a")] == [id for id in wanted if id.startswith("one/a")]
    assert list(bucket.list("three/")) == []


@pytest.mark.parametrize("prefix", ["", "o", "one/", "one/a", "one/a/", "one/x/", "one/é/", "none"])
def test_folders_are_those_of_a_bucket(hub: Hub, prefix: str) -> None:
    _filled(hub)
    mirror = hub.bucket("mirror")
    mirror.put_many({found.key: b"" for found in _frozen(hub).list()})

    def names(entries: object) -> list[str]:
        return [entry if isinstance(entry, str) else entry.key for entry in entries]  # type: ignore[attr-defined]

    assert names(_frozen(hub).folders(prefix)) == names(mirror.folders(prefix))


def test_bytes_are_the_versions_own_after_overwriting_and_deleting(hub: Hub) -> None:
    _filled(hub)
    hub.bucket("one")["a"] = b"other"
    del hub.bucket("one")["ab"]
    hub.dataset("set").commit()
    for version, held, gone in (("v1", b"aaa", True), ("v2", b"other", False)):
        bucket = _frozen(hub, version)
        assert b"".join(bucket.pieces("one/a")) == held
        assert ("one/ab" in [found.key for found in bucket.list()]) is gone
    with pytest.raises(NoSuchKey, match="one/ab"):
        _frozen(hub, "latest").stat("one/ab")


def test_an_object_of_many_extents_comes_whole(hub: Hub) -> None:
    data = bytes(range(256)) * 40_960
    hub.bucket("big")["o"] = data
    hub.dataset("set").commit("big")
    pieces = list(_frozen(hub).pieces("big/o"))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 1 << 20
    cut = b"".join(_frozen(hub).pieces("big/o", offset=(1 << 20) - 7, length=20))
    assert cut == data[(1 << 20) - 7 : (1 << 20) + 13]


def test_the_folders_above(hub: Hub) -> None:
    _filled(hub)
    hub.bucket("one")["new"] = b""
    hub.dataset("set").commit()
    hub.dataset("set").tag("good", "v1")
    assert version_folders(hub) == ["set/"]
    assert version_folders(hub, "set") == ["set/v1/", "set/v2/"]
    assert _frozen(hub, "good").version.number == 1
    hub.dataset("set").drop("v1")
    assert version_folders(hub, "set") == ["set/v2/"]
    with pytest.raises(NoSuchDataset):
        version_folders(hub, "other")
    with pytest.raises(NoSuchVersion):
        _frozen(hub, "v1")
    with pytest.raises(InvalidInput, match="version"):
        _frozen(hub, "")


def test_an_export_holds_the_longest_keys_and_the_odd_ones(hub: Hub, tmp_path: Path) -> None:
    longest = "k" * 200 + "/" + "l" * 823
    hub.bucket("one").put_many({longest: b"long", "../up": b"up", "a": b"file", "a/b": b"below"})
    hub.dataset("set").commit("one")
    out = tmp_path / "out"
    assert export_folder(_frozen(hub), "", out).objects == 4
    assert (out / "one/a/%^").read_bytes() == b"file"
    assert (out / "one/a/b").read_bytes() == b"below"
    assert (out / "one/%~../up").read_bytes() == b"up"
    assert len(list(out.rglob("%~lll*"))) == 1


def test_a_page_makes_no_object_of_the_rest(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.bucket("many").put_many({f"{i:05}": b"" for i in range(3000)})
    hub.dataset("set").commit("many")
    bucket = _frozen(hub)
    made: list[int] = []
    page = bucket._page
    monkeypatch.setattr(bucket, "_page", lambda rows: made.append(len(rows)) or page(rows))
    assert next(iter(bucket.list("many/"))).key == "many/00000"
    assert sum(made) == 1000
    assert list(bucket.folders("m")) == ["many/"]
    assert sum(made) == 1000


def test_a_samples_labels(hub: Hub, tmp_path: Path) -> None:
    _filled(hub)
    table = tmp_path / "labels.csv"
    table.write_text("id,label\none/a,cat\n")
    hub.dataset("set").label(table)
    bucket = _frozen(hub, "v2")
    assert bucket.labels(bucket.stat("one/a")) == {"label": "cat"}
    assert bucket.labels(bucket.stat("two/z")) == {"label": None}
    before = _frozen(hub)
    assert before.labels(before.stat("one/a")) == {}
