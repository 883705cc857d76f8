"""``maru gc`` says what it would do and does no more; ``maru retain`` holds against every command."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

import maruhub
from maruhub.cli.main import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two buckets, one without a delay; of two objects there one is in a dataset; all are deleted."""
    with maruhub.create(tmp_path / "hub", blades=2) as hub:
        hub.namespace.buckets.create("fast", delay_s=0)
        hub.bucket("fast").put_many({"gone": b"g" * 5000, "kept/1": b"k" * 7000})
        hub.bucket("slow")["later"] = b"l" * 100
        hub.dataset("pets").commit("fast/kept/")
        hub.bucket("fast").delete_many(["gone", "kept/1"])
        hub.bucket("slow").delete_many(["later"])
    monkeypatch.setenv("MARU_HUB", str(tmp_path / "hub"))
    return tmp_path / "hub"


def told(capsys: Capture, *words: str) -> Any:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_dry_run_says_what_and_why_and_changes_nothing(hub: Path, capsys: Capture) -> None:
    for _ in range(2):
        found = told(capsys, "gc", "--dry-run")
        groups = {(g["where"], g["hold"], g["held_by"]): g for g in found["groups"]}
        assert groups.keys() == {
            ("maru://fast", "", ""),
            ("maru://fast", "", "pets@v1"),
            ("maru://slow", "delay", ""),
        }
        assert (found["removable"], found["freed_bytes"], found["awaiting_bytes"]) == (2, 5000, 12_100)
        assert groups["maru://fast", "", "pets@v1"]["freed_bytes"] == 0
        until = datetime.datetime.fromisoformat(groups["maru://slow", "delay", ""]["until"][0])
        assert 86_000 < (until - datetime.datetime.now(datetime.UTC)).total_seconds() < 86_401
    assert main(["gc", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "2 rows would go, and with them 5.0 kB" in said
    assert "its time is over; pets@v1 names the bytes" in said
    assert "can be brought back until" in said


def test_it_removes_what_it_said_and_the_version_still_has_its_bytes(hub: Path, capsys: Capture) -> None:
    assert told(capsys, "gc") == {"removed": {"object version": 2}, "size_bytes": 12_000}
    assert told(capsys, "gc") == {"removed": {}, "size_bytes": 0}
    assert main(["undelete", "maru://fast/gone"]) == 3
    assert main(["undelete", "maru://slow/later"]) == 0
    assert main(["gc"]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    with maruhub.connect(hub) as opened:
        version = opened.version("pets")
        assert [bytes(one) for one in opened.store.read_many(version.blobs([0]))] == [b"k" * 7000]


def test_a_retained_bucket_is_removed_by_nobody(hub: Path, capsys: Capture) -> None:
    ends = told(capsys, "retain", "fast", "--for", "2d")["retained_until"]
    assert told(capsys, "retain", "maru://fast", "--for", "1h")["retained_until"][:16] == ends[:16]
    assert main(["rb", "fast"]) == 5
    assert "retained until" in capsys.readouterr().err
    assert told(capsys, "gc")["removed"] == {}
    assert {g["hold"] for g in told(capsys, "gc", "--dry-run")["groups"]} == {"retention", "delay"}
    assert main(["undelete", "maru://fast/gone"]) == 0
    capsys.readouterr()
    assert told(capsys, "stat", "maru://fast/gone")["retained_until"][:16] == ends[:16]


def test_a_retained_version_cannot_be_dropped(hub: Path, capsys: Capture) -> None:
    year = datetime.datetime.now().astimezone().year + 2
    said = told(capsys, "retain", "pets@v1", "--until", f"{year}-01-31")
    assert said["retained_until"].startswith((f"{year}-01-30", f"{year}-01-31"))
    assert told(capsys, "show", "pets@v1")["retained_until"] == said["retained_until"]
    assert main(["drop", "pets@v1"]) == 5
    assert main(["drop", "pets", "--all"]) == 5
    assert main(["show", "pets@v1"]) == 0
    assert "Nobody can drop it before" in capsys.readouterr().out
    assert told(capsys, "retain", "maru://dataset/pets", "--for", "1h").keys() == {
        "dataset",
        "retained_until",
    }


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["fast"], 2),
        (["fast", "--for", "1h", "--until", "2090-01-01"], 2),
        (["fast", "--for", "soon"], 2),
        (["fast", "--for", "0s"], 2),
        (["fast", "--until", "2001-01-01"], 2),
        (["fast", "--until", "someday"], 2),
        (["fast", "--until", "9999-12-31"], 2),
        (["maru://fast/gone", "--for", "1h"], 2),
        (["nothing", "--for", "1h"], 3),
        (["maru://nothing", "--for", "1h"], 3),
        (["pets@v9", "--for", "1h"], 3),
        (["none@v1", "--for", "1h"], 3),
    ],
)
def test_mistakes(hub: Path, capsys: Capture, words: list[str], status: int) -> None:
    assert main(["retain", *words]) == status
    assert "Traceback" not in capsys.readouterr().err


def test_a_name_of_two_things_is_asked_about(hub: Path, capsys: Capture) -> None:
    with maruhub.connect(hub) as opened:
        opened.bucket("pets")["x"] = b"x"
    assert main(["retain", "pets", "--for", "1h"]) == 2
    assert "maru://dataset/pets" in capsys.readouterr().err
    assert told(capsys, "retain", "maru://pets", "--for", "1h").keys() == {"bucket", "retained_until"}


@pytest.mark.parametrize("words", [[], ["--for", "1h", "--until", "2090-01-31"]])
def test_a_retention_without_one_end_names_the_options(hub: Path, capsys: Capture, words: list[str]) -> None:
    assert main(["retain", "fast", *words]) == 2
    assert "Give --until or --for." in capsys.readouterr().err
