"""``maru blade``: what people and programs are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import maruhub
from maruhub.cli.main import main
from maruhub.store import blades, lookout, roster

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub on the blades a, b, c, with one object; processes notice at once."""
    for module in (lookout, blades, roster):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    with maruhub.create(tmp_path / "hub", blades=[tmp_path / name for name in "abc"]) as hub:
        hub.bucket("photos")["1.jpg"] = b"x" * 5000
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARU_HUB", "hub")
    return tmp_path


def said(capsys: Capture, *words: str, status: int = 0) -> str:
    assert main(["blade", *words]) == status
    told = capsys.readouterr()
    return told.err if status else told.out


def fields(capsys: Capture, *words: str) -> Any:
    return json.loads(said(capsys, *words, "--json"))


def test_the_list_is_a_table_for_people_and_whole_for_programs(folder: Path, capsys: Capture) -> None:
    (folder / "b").rename(folder / "unplugged")
    table = said(capsys, "list").splitlines()
    assert len(table) == 4
    assert "share of files" in table[0]
    assert str(folder / "a") in table[1]
    assert "in service" in table[1]
    assert "missing: no blade there" in table[2]
    assert "33.3% (1)" in table[2]
    first, second, _ = fields(capsys, "list")
    assert len(first["id"]) == 32
    assert set(first) == {
        "id",
        "number",
        "path",
        "state",
        "reason",
        "used_bytes",
        "free_bytes",
        "total_bytes",
        "files",
        "share",
    }
    assert second["state"] == "missing"
    assert second["free_bytes"] == 0


def test_a_blade_is_added_drained_and_removed(folder: Path, capsys: Capture) -> None:
    added = said(capsys, "add", "d")
    assert added.startswith(f"Blade 3 ({folder / 'd'}) is in service and takes new data now.")
    assert "maru care" in added
    drained = said(capsys, "drain", "d")
    assert "nothing new is put there; reads go on" in drained
    assert "maru blade remove 3" in drained, "it is empty already"
    assert said(capsys, "drain", "3", "--undo") == f"Blade 3 ({folder / 'd'}) is in service again.\n"
    said(capsys, "drain", "3")
    assert said(capsys, "remove", "3") == f"Blade 3 ({folder / 'd'}) is removed.\n"
    assert [blade["state"] for blade in fields(capsys, "list")] == ["in service"] * 3 + ["removed"]


def test_what_care_has_to_do_is_said(folder: Path, capsys: Capture) -> None:
    said(capsys, "add", "d")
    told = said(capsys, "drain", "0")
    assert "`maru care` moves 1 file of segments" in told or "moves 2 files of segments" in told
    assert "maru blade list" in told
    (folder / "c").rename(folder / "unplugged")
    told = said(capsys, "remove", "2", "--lost")
    assert f"Blade 2 ({folder / 'c'}) is removed." in told
    assert "anew" in told


def test_replace_tells_of_both(folder: Path, capsys: Capture) -> None:
    told = said(capsys, "replace", "a", "d")
    assert f"Blade 3 ({folder / 'd'}) is in service; blade 0 ({folder / 'a'}) is draining." in told
    both = fields(capsys, "replace", "a", "d")
    assert (both["new"]["number"], both["old"]["state"]) == (3, "draining")


@pytest.mark.parametrize(
    ("words", "status", "hint"),
    [
        (["remove", "0"], 4, "maru blade drain 0"),
        (["remove", "0", "--lost"], 2, "unmounted"),
        (["add", "a"], 4, "Nothing was changed"),
        (["add", "hub"], 2, "empty folder"),
        (["drain", "9"], 3, "maru blade list"),
    ],
)
def test_a_refusal_says_what_next(capsys: Capture, words: list[str], status: int, hint: str) -> None:
    assert hint in said(capsys, *words, status=status)


def test_refusals_by_state_have_their_statuses(folder: Path, capsys: Capture) -> None:
    (folder / "c").rename(folder / "unplugged")
    assert "maru blade remove 2 --lost" in said(capsys, "drain", "2", status=8)
    assert "maru blade remove 2 --lost" in said(capsys, "remove", "2", status=8)
    said(capsys, "drain", "1")
    assert "Add another first" in said(capsys, "drain", "0", status=5)


def test_options_stand_before_or_behind(folder: Path, capsys: Capture) -> None:
    for words in (
        ["--hub", "hub", "--json", "blade", "list"],
        ["blade", "list", "--hub", str(folder / "hub"), "--json"],
    ):
        assert main(words) == 0
        assert len(json.loads(capsys.readouterr().out)) == 3
    assert main(["blade", "--help"]) == 0
    assert "replace" in capsys.readouterr().out
