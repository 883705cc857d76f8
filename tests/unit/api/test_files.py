"""Out into files and back in: the same keys, whatever they are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from maruhub import errors
from maruhub.api.export import export_folder, export_object
from maruhub.api.hub import Hub
from maruhub.api.intake import import_folder

AWKWARD = [
    "a",
    "a/b",
    "a!",
    "a/",
    "..",
    "../up",
    "//",
    "x" * 600,
    "%~",
    "ä/ö",
    "new\nline",
    "nul\0in",
    "dir/.",
]


def test_every_name_survives_a_round_trip(hub: Hub, tmp_path: Path) -> None:
    source = hub.bucket("names")
    source.put_many({key: key.encode() for key in AWKWARD})
    moved = export_folder(source, "", tmp_path / "out")
    assert moved.objects == len(AWKWARD)
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    import_folder(hub.bucket("again"), "", tmp_path / "out")
    assert {key: bytes(data) for key, data in hub.bucket("again").items()} == {k: k.encode() for k in AWKWARD}


def test_a_prefix_is_left_out_and_put_back(hub: Hub, tmp_path: Path) -> None:
    source = hub.bucket("photos")
    source.put_many({"cats/1": b"1", "cats/in/2": b"2", "cats/": b"0", "catsnot": b"x"})
    assert export_folder(source, "cats/", tmp_path).objects == 3
    assert (tmp_path / "in" / "2").read_bytes() == b"2"
    import_folder(hub.bucket("photos"), "copy/", tmp_path)
    assert [info.key for info in source.list("copy/")] == ["copy/", "copy/1", "copy/in/2"]


def test_a_key_that_is_also_a_folder_beyond_the_page(hub: Hub, tmp_path: Path) -> None:
    source = hub.bucket("many")
    keys = ["a", *(f"a!{i:04}" for i in range(1500)), "a/b"]
    source.put_many(dict.fromkeys(keys, b"x"))
    assert export_folder(source, "", tmp_path).objects == 1502
    assert (tmp_path / "a" / "b").is_file()
    import_folder(hub.bucket("back"), "", tmp_path)
    assert list(hub.bucket("back")) == keys


def test_times_and_large_files(hub: Hub, tmp_path: Path) -> None:
    data = os.urandom(9_000_000)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "big.png").write_bytes(data)
    os.utime(tmp_path / "in" / "big.png", ns=(1_000_000_007, 1_000_000_007))
    import_folder(hub.bucket("big"), "", tmp_path / "in")
    info = hub.bucket("big").stat("big.png")
    assert (info.content_type, info.mtime_ns) == ("image/png", 1_000_000_007)
    path = export_object(hub.bucket("big"), "big.png", tmp_path)
    assert path == tmp_path / "big.png"
    assert path.read_bytes() == data
    assert path.stat().st_mtime_ns == 1_000_000_007


def test_a_failed_export_leaves_nothing_half_done(hub: Hub, tmp_path: Path) -> None:
    bucket = hub.bucket("rotten")
    bucket["a"] = b"x" * 5000
    hub.store.rot(bucket.stat("a").extents)  # type: ignore[attr-defined]
    with pytest.raises(errors.Corrupt):
        export_object(bucket, "a", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_nothing_below_is_said(hub: Hub, tmp_path: Path) -> None:
    hub.bucket("photos")["a"] = b""
    with pytest.raises(errors.NoSuchKey, match="photos/cats/"):
        export_folder(hub.bucket("photos"), "cats/", tmp_path)
