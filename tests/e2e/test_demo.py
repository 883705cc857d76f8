"""The demo does all that it says: it checks itself, and here its words are checked too."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "demo" / "demo.py"


def _run(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, DEMO, folder, "--pace", "0.01"],
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=110,
    )


@pytest.mark.slow
def test_the_demo_shows_all_eight_steps(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("PIL")
    done = _run(tmp_path / "demo-hub")
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert re.findall(r"^(\d)\. ", done.stdout, re.MULTILINE) == list("12345678")
    assert "one and the same drive" in said
    assert "0 objects stored (0 bytes), 1,500 were there already" in said
    assert int(re.search(r"(\d+) bytes written", said)[1]) < 184_189  # type: ignore[index]
    assert "killed (SIGKILL, status -9)" in said
    assert "each once" in said
    assert float(re.search(r"held-out: accuracy ([\d.]+) on \d+ samples of digits@v4 test", said)[1]) > 0.9  # type: ignore[index]
    assert "NotHeldOut: not held out" in said
    assert "any two blades may fail" in said
    assert "speed of this machine" in said
    before, after, total = map(
        int, re.search(r"(\d+) images before the kill and (\d+) after it, (\d+) in", said).groups()
    )  # type: ignore[union-attr]
    assert before > 0
    assert after > 0
    assert before + after == total
    _diary_is_exact(tmp_path / "demo-hub" / "training" / "diary.jsonl", total)


def _diary_is_exact(diary: Path, samples: int) -> None:
    epochs: dict[int, list[str]] = {}
    for line in diary.read_text().splitlines():
        entry = json.loads(line)
        epochs.setdefault(entry["epoch"], []).extend(entry["ids"])
    assert list(epochs) == list(range(1, 11))
    for ids in epochs.values():
        assert len(ids) == len(set(ids)) == samples
    assert epochs[1] != epochs[2], "each epoch has an order of its own"


def test_the_demo_leaves_a_folder_alone_that_is_not_its_own(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("PIL")
    (tmp_path / "demo-hub").mkdir()
    (tmp_path / "demo-hub" / "thesis.txt").write_text("years of work")
    done = _run(tmp_path / "demo-hub")
    assert done.returncode != 0
    assert "stays as it is" in done.stderr
    assert (tmp_path / "demo-hub" / "thesis.txt").read_text() == "years of work"
