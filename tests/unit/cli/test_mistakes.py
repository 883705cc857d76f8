"""A user's mistake gets one message and a status by its kind, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import maruhub
from maruhub.cli.main import main

Run = Callable[..., int]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a hub, a bucket, a dataset and a run."""
    made = tmp_path_factory.mktemp("mistakes")
    with maruhub.create(made / "hub") as hub:
        hub.bucket("photos").put_many({f"{i}.jpg": b"x" * i for i in range(20)})
        hub.dataset("pets").commit("photos")
    (made / "labels.csv").write_text("key,label\n1.jpg,cat\n")
    return made


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MARU_HUB", "hub")
    return lambda *words: main(list(words))


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (["nonsense"], 2, "InvalidInput"),
        (["ls", "--nonsense"], 2, "InvalidInput"),
        (["stat", "photos"], 2, "InvalidInput"),
        (["ls", "X"], 2, "InvalidName"),
        (["ls", "nosuchbucket"], 3, "NoSuchBucket"),
        (["stat", "photos/none"], 3, "NoSuchKey"),
        (["show", "nosuch"], 3, "NoSuchDataset"),
        (["show", "pets@v99"], 3, "NoSuchVersion"),
        (["ls", "--hub", "labels.csv"], 3, "NoSuchHub"),
        (["ls", "--hub", "nowhere"], 3, "NoSuchHub"),
        (["ingest", "nowhere", "photos"], 3, "NotFound"),
        (["label", "pets", "nowhere.csv"], 3, "NotFound"),
        (["sql", "drop table pets"], 2, "InvalidInput"),
        (["sql", "select nocolumn from pets"], 2, "InvalidInput"),
        (["mb", "photos"], 4, "AlreadyExists"),
        (["mb", "fresh", "--delay", "soon"], 2, "InvalidInput"),
        (["rb", "photos"], 4, "BucketNotEmpty"),
        (["cp", "nowhere", "maru://photos/x"], 3, "NotFound"),
        (["cp", "labels.csv", "maru://dataset/pets/v1/x"], 5, "Refused"),
        (["cp", "-r", "hub", "maru://dataset/"], 5, "Refused"),
        (["cp", "maru://photos/1.jpg", "maru://dataset/pets/v1/"], 5, "Refused"),
        (["rm", "maru://dataset/pets/v1/photos/1.jpg"], 5, "Refused"),
        (["rm", "-rf", "maru://dataset/pets"], 5, "Refused"),
        (["ingest", "labels.csv", "maru://dataset/pets"], 5, "Refused"),
        (["undelete", "maru://dataset/pets/v1/photos/1.jpg"], 5, "Refused"),
        (["cp", "maru://dataset/pets/v1/photos/1.jpg", "maru://photos/x"], 2, "InvalidInput"),
        (["cp", "maru://dataset/pets/v1", "x"], 2, "InvalidInput"),
        (["cp", "-r", "maru://dataset/pets", "x"], 2, "InvalidInput"),
        (["cat", "maru://dataset/pets/v1"], 2, "InvalidInput"),
        (["ls", "maru://dataset//v1"], 2, "InvalidName"),
        (["ls", "maru://dataset/nosuch"], 3, "NoSuchDataset"),
        (["ls", "maru://dataset/pets/v9"], 3, "NoSuchVersion"),
        (["ls", "maru://dataset/pets/v1/nosuch"], 3, "NoSuchKey"),
        (["stat", "maru://dataset/pets/v1/1.jpg"], 3, "NoSuchKey"),
        (["undelete", "photos/1.jpg", "--version", "zz"], 2, "InvalidInput"),
        (["undelete", "photos/1.jpg", "--version", "-000000000000001"], 2, "InvalidInput"),
        (["undelete", "photos/1.jpg", "--version", "f" * 16], 3, "NoSuchVersion"),
    ],
)
def test_mistakes_get_one_message_and_a_status(
    run: Run, capsys: pytest.CaptureFixture[str], words: list[str], status: int, code: str
) -> None:
    assert run(*words) == status
    plain = capsys.readouterr()
    assert plain.err.startswith("maru: ")
    assert plain.err.count("\n") == 1
    assert plain.out == ""
    assert run(*words, "--json") == status
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["code"] == code
    assert set(error) == {"code", "what", "hint"}


def test_a_fault_of_ours_says_so(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("maruhub.api.connect", broken)
    assert run("ls") == 1
    assert "MARU_DEBUG=1" in capsys.readouterr().err
    monkeypatch.setenv("MARU_DEBUG", "1")
    assert run("ls") == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_ctrl_c_has_its_status(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("maruhub.api.connect", interrupted)
    assert run("ls") == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_help_needs_no_hub_and_imports_nothing_heavy(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    assert "ingest" in capsys.readouterr().out
    for command in ("cp", "sql", "evaluate"):
        assert run(command, "--help") == 0
        shown = capsys.readouterr().out
        assert "--hub" in shown
        assert "--json" in shown


def test_hints_name_the_options_of_the_command_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("commit", "hinted", "photos") == 0
    assert run("commit", "hinted", "photos/1*") == 0
    assert run("tag", "hinted@v1", "good") == 0
    assert run("tag", "hinted@v2", "good") == 4
    assert "--move" in capsys.readouterr().err
    assert run("drop", "hinted@v1") == 0
    assert run("tag", "hinted@v1", "other") == 3
    assert "maru drop hinted@v1 --undo" in capsys.readouterr().err
    assert run("show", "hinted@v1") == 3
    assert "maru drop hinted@v1 --undo" in capsys.readouterr().err
