"""What status and check call blades, and what a hub that cannot be written is told."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

import maruhub
from maruhub.cli.hubs import care_text
from maruhub.cli.main import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub on the blades a, b, c, with one object."""
    with maruhub.create(tmp_path / "hub", blades=[tmp_path / name for name in "abc"]) as hub:
        hub.bucket("photos")["1.jpg"] = b"x" * 5000
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARU_HUB", "hub")
    return tmp_path


def _json(capsys: Capture, *words: str) -> dict[str, list[dict[str, object]]]:
    main([*words, "--json"])
    found: dict[str, list[dict[str, object]]] = json.loads(capsys.readouterr().out)
    return found


def test_a_missing_blade_is_named_once_by_number_and_path(folder: Path, capsys: Capture) -> None:
    whole = [(blade["id"], blade["number"], blade["path"]) for blade in _json(capsys, "status")["blades"]]
    assert [(number, path) for _, number, path in whole] == [
        (number, str(folder / name)) for number, name in enumerate("abc")
    ]
    (folder / "b").rename(folder / "unplugged")
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert f"blade 1 ({folder / 'b'}) does not answer: no blade there" in said
    assert said.count(str(folder / "b")) == 1
    for command in ("status", "check"):
        fields = _json(capsys, command)["blades"]
        assert [(blade["id"], blade["number"], blade["path"]) for blade in fields] == whole
        assert [bool(blade["problem"]) for blade in fields] == [False, True, False]


def test_a_strangers_blade_is_named_once(folder: Path, capsys: Capture) -> None:
    (folder / "b").rename(folder / "unplugged")
    maruhub.create(folder / "other", blades=[folder / "b"]).close()
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert f"blade 1 ({folder / 'b'}) does not answer: is a blade of another pool" in said
    assert said.count(str(folder / "b")) == 1


def test_check_names_the_blade_whose_copies_are_wrong(folder: Path, capsys: Capture) -> None:
    for log in (folder / "c" / "segments").glob("*.log"):
        data = bytearray(log.read_bytes())
        at = data.find(b"x" * 100)
        data[at : at + 10] = b"y" * 10
        log.write_bytes(data)
    assert main(["check"]) == 8
    said = capsys.readouterr().out
    assert f"blade 2 ({folder / 'c'}): its copies of 1 piece are wrong or missing" in said
    assert "Nothing is lost" in said
    fields = _json(capsys, "check")["blades"]
    assert [blade["bad_copies"] for blade in fields] == [0, 0, 1]
    (folder / "c").rename(folder / "unplugged")
    assert main(["check"]) == 8
    said = capsys.readouterr().out
    assert f"blade 2 ({folder / 'c'}) does not answer" in said


def test_the_index_of_a_hub_that_cannot_be_written_is_not_made_anew(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a read-only drive answers; a test that runs as root is refused nothing.
    def refused(path: Path) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr("maruhub.store.hub_lock._open", refused)
    assert main(["check"]) == 0
    assert "right" in capsys.readouterr().out
    assert main(["check", "--rebuild-index", "--json"]) == 5
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "ReadOnly"


@pytest.mark.parametrize(
    ("place", "status"),
    [
        ("/proc/nothing", 3),
        ("file", 2),
        ("file/below", 3),
        ("n" * 300, 2),
        ("full/blade", 8),
        ("locked/blade", 5),
    ],
)
def test_a_place_where_no_hub_can_be_leaves_nothing(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, place: str, status: int
) -> None:
    (folder / "file").write_bytes(b"")
    make = Path.mkdir

    def mkdir(path: Path, *args: int, **how: bool) -> None:
        for name, number in (("full", errno.ENOSPC), ("locked", errno.EROFS)):
            if name in path.parts:
                raise OSError(number, os.strerror(number), str(path))
        make(path, *args, **how)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    before = sorted(folder.iterdir())
    assert main(["init", "half", "--blade", "fresh", "--blade", place]) == status
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert place.split("/")[0] in said
    assert "answers" not in said
    assert sorted(folder.iterdir()) == before


def test_a_keeper_that_has_not_worked_yet_has_no_process_number():
    quiet = {"doing": "", "pid": 0, "total_bytes": 0, "done_bytes": 0, "left_s": None}
    assert care_text(quiet) == "at work: nothing was to be done so far"
    busy = {"doing": "seal", "pid": 7, "total_bytes": 10, "done_bytes": 5, "left_s": 2.0}
    assert care_text(busy) == "seal (process 7): 5 bytes of 10 bytes, about 2 s left"
