"""Out into files and back in: the same keys, whatever they are called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import errors
from maruhub.api.export import export_folder, export_object
from maruhub.api.hub import Hub
from maruhub.api.intake import import_folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder that nothing else writes in (a store under test may lie beside it)."""
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


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


def test_every_name_survives_a_round_trip(hub: Hub, out: Path) -> None:
    source = hub.bucket("names")
    source.put_many({key: key.encode() for key in AWKWARD})
    moved = export_folder(source, "", out / "here")
    assert moved.objects == len(AWKWARD)
    assert {path.name for path in out.iterdir()} == {"here"}
    import_folder(hub.bucket("again"), "", out / "here")
    assert {key: bytes(data) for key, data in hub.bucket("again").items()} == {k: k.encode() for k in AWKWARD}


def test_a_prefix_is_left_out_and_put_back(hub: Hub, out: Path) -> None:
    source = hub.bucket("photos")
    source.put_many({"cats/1": b"1", "cats/in/2": b"2", "cats/": b"0", "catsnot": b"x"})
    assert export_folder(source, "cats/", out).objects == 3
    assert (out / "in" / "2").read_bytes() == b"2"
    import_folder(hub.bucket("photos"), "copy/", out)
    assert [info.key for info in source.list("copy/")] == ["copy/", "copy/1", "copy/in/2"]


def test_a_key_that_is_also_a_folder_beyond_the_page(hub: Hub, out: Path) -> None:
    source = hub.bucket("many")
    keys = ["a", *(f"a!{i:04}" for i in range(1500)), "a/b"]
    source.put_many(dict.fromkeys(keys, b"x"))
    assert export_folder(source, "", out).objects == 1502
    assert (out / "a" / "b").is_file()
    import_folder(hub.bucket("back"), "", out)
    assert list(hub.bucket("back")) == keys


def test_times_and_large_files(hub: Hub, out: Path) -> None:
    data = os.urandom(9_000_000)
    (out / "in").mkdir()
    (out / "in" / "big.png").write_bytes(data)
    os.utime(out / "in" / "big.png", ns=(1_000_000_007, 1_000_000_007))
    import_folder(hub.bucket("big"), "", out / "in")
    info = hub.bucket("big").stat("big.png")
    assert (info.content_type, info.mtime_ns) == ("image/png", 1_000_000_007)
    path = export_object(hub.bucket("big"), "big.png", out)
    assert path == out / "big.png"
    assert path.read_bytes() == data
    assert path.stat().st_mtime_ns == 1_000_000_007


def test_a_failed_export_leaves_nothing_half_done(
    hub: Hub, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = hub.bucket("rotten")
    bucket["a"] = b"x" * 5000

    def half(item: object) -> Iterator[bytes]:
        yield b"x" * 100
        raise errors.Corrupt("no intact copy of the rest")

    monkeypatch.setattr(bucket, "pieces", half)
    with pytest.raises(errors.Corrupt):
        export_object(bucket, "a", out / "a")
    assert list(out.iterdir()) == []


def test_nothing_below_is_said(hub: Hub, out: Path) -> None:
    hub.bucket("photos")["a"] = b""
    with pytest.raises(errors.NoSuchKey, match="photos/cats/"):
        export_folder(hub.bucket("photos"), "cats/", out)
