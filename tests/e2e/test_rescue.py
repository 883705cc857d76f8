"""``maru rescue``: the program that runs alone, where MaruHub is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.e2e.maru import Maru

BLADES = ("a", "b", "c", "d")


def _pool(folder: Path) -> Maru:
    maru = Maru(folder)
    maru.ok("init", "hub", *(word for blade in BLADES for word in ("--blade", blade)))
    maru.ok("cp", "-", "maru://things/deep/x", "--hub", "hub", stdin=b"first")
    maru.ok("cp", "-", "maru://things/deep/x", "--hub", "hub", stdin=b"second")
    maru.ok("cp", "-", "maru://things/deep", "--hub", "hub", stdin=b"a file and a folder")
    shutil.rmtree(folder / "hub")
    return maru


def test_rescue_without_a_hub_and_with_two_blades_lost(tmp_path: Path) -> None:
    maru = _pool(tmp_path)
    shutil.rmtree(tmp_path / "a")
    shutil.rmtree(tmp_path / "d")
    done = maru.ok("rescue", "b", "c", "out", "--json", "--versions")
    assert (done.json["objects"], done.json["damaged"], done.json["problems"]) == (3, [], [])
    assert (tmp_path / "out/things/deep/x").read_bytes() == b"second"
    assert (tmp_path / "out/things/deep/%^").read_bytes() == b"a file and a folder"
    (old,) = (tmp_path / "out/%versions/things").glob("*/deep/x")
    assert old.read_bytes() == b"first"


def test_rescue_says_what_is_lost_and_what_was_called_wrongly(tmp_path: Path) -> None:
    maru = _pool(tmp_path)
    listed = maru.ok("rescue", "--list", *BLADES).text.splitlines()
    assert [line.split(",")[:2] for line in listed] == [
        ["bucket", "key"],
        *sorted([["things", "deep/x"], ["things", "deep"]], key=lambda name: name[1] != "deep/x"),
    ]
    assert maru("rescue", *BLADES, "a").status == 2
    assert maru("rescue", "a").status == 2
    for log in tmp_path.glob("?/segments/*.log"):
        data = log.read_bytes()
        log.write_bytes(data.replace(b"second", b"sEcond"))
    done = maru("rescue", *BLADES, "out")
    assert done.status == 9
    assert "things/deep/x" in done.err
    assert (tmp_path / "out/things/deep/%^").exists()
