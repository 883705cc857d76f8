"""One of a thing is said as one: figures and nouns agree in what commands print."""

from __future__ import annotations

from pathlib import Path

import pytest

import maruhub
from maruhub.cli.main import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a hub and one photo outside of it."""
    maruhub.create(tmp_path / "hub").close()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/1.jpg").write_bytes(b"x")
    (tmp_path / "labels.csv").write_text("key,label\n1.jpg,cat\nother.jpg,dog\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARU_HUB", "hub")
    return tmp_path


@pytest.mark.parametrize("many", [False, True])
def test_figures_and_nouns_agree(folder: Path, capsys: Capture, many: bool) -> None:
    if many:
        (folder / "photos/2.jpg").write_bytes(b"y")
        (folder / "labels.csv").write_text("key,label\n1.jpg,cat\n2.jpg,cat\na,dog\nb,dog\n")

    def said(*words: str) -> str:
        assert main(list(words)) == 0
        return capsys.readouterr().out

    objects = "2 objects" if many else "1 object"
    first = said("ingest", "photos", "photos")
    assert first.startswith(f"{objects} stored (")
    again = said("ingest", "photos", "photos")
    assert again.startswith(
        f"0 objects stored (0 bytes), {'2 were' if many else '1 was'} there already, 0 refused"
    )
    said("commit", "pets", "photos")
    labelled = said("label", "pets", "labels.csv")
    assert f"{'2 samples' if many else '1 sample'} labelled, 0 not in the file, " in labelled
    assert f"{'2 rows' if many else '1 row'} without a sample; " in labelled
    assert said("cp", "-r", "maru://photos", "out").startswith(f"Copied {objects} (")
    assert said("cp", "-r", "maru://photos", "maru://copy").startswith(f"Copied {objects} by reference")
    assert said("rm", "-r", "copy") == f"Deleted {objects}.\n"
    assert "Every copy of everything is right. (Parity is not read here: maru scrub.)" in said("check")
