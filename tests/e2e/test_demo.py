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
        timeout=170,
    )


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_demo_shows_all_nine_steps(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("PIL")
    done = _run(tmp_path / "demo-hub")
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(done.stdout.split())
    assert re.findall(r"^(\d)\. ", done.stdout, re.MULTILINE) == list("123456789")
    assert "one and the same drive" in said
    assert "0 objects stored (0 bytes), 1,500 were there already" in said
    assert int(re.search(r"(\d+) bytes written", said)[1]) < 184_189  # type: ignore[index]
    assert "killed (SIGKILL, status -9)" in said
    assert "exactly those of the training split, each once" in said
    assert float(re.search(r"held-out: accuracy ([\d.]+) on \d+ samples of digits@v4 test", said)[1]) > 0.9  # type: ignore[index]
    assert "NotHeldOut: not held out" in said
    assert "speed of this machine" in said
    _two_blades_were_lost(said)
    before, after, total = _numbers(
        r"([\d,]+) images before the kill and ([\d,]+) after it, ([\d,]+) in", said
    )
    assert before > 0
    assert after > 0
    assert before + after == total
    _diary_is_exact(tmp_path / "demo-hub" / "training" / "diary.jsonl", total, epochs=10)
    (exact,) = _numbers(r"exact: ([\d,]+) images, each once", said)
    _diary_is_exact(tmp_path / "demo-hub" / "training-more" / "diary.jsonl", exact, epochs=6)


def _numbers(pattern: str, said: str) -> list[int]:
    found = re.search(pattern, said)
    assert found, pattern
    return [int(number.replace(",", "")) for number in found.groups()]


def _two_blades_were_lost(said: str) -> None:
    """Data were computed from parity, protection was reduced, repaired, and widened to new blades."""
    assert len(re.search(r"\$ rm -rf (\S+/blades/\d \S+/blades/\d) ", said)[1].split()) == 2  # type: ignore[index]
    rest, rebuilt = _numbers(r"of the last (\d+), (\d+) were computed", said)
    assert 0 < rebuilt <= rest
    told = [
        r"REDUCED: what",
        r"Done: repair \d segment",
        r"any two blades may fail\. Of 6 blades 2 are missing",
        r"1,797 images compared with the files that they came from: none differs",
        r"Done: (widen|balance) \d segment",
        r"blades 6 of 6 answer protection Parity over all blades: any two blades may fail\. These",
        r"0 wrong or missing, 0 mended, 0 lost",
    ]
    assert re.search(".*".join(told), said), "not told, or not in this order"


def _diary_is_exact(diary: Path, samples: int, *, epochs: int) -> None:
    seen: dict[int, list[str]] = {}
    for line in diary.read_text().splitlines():
        entry = json.loads(line)
        seen.setdefault(entry["epoch"], []).extend(entry["ids"])
    assert list(seen) == list(range(1, epochs + 1))
    for ids in seen.values():
        assert len(ids) == len(set(ids)) == samples
    assert seen[1] != seen[2], "each epoch has an order of its own"


def test_the_demo_leaves_a_folder_alone_that_is_not_its_own(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("PIL")
    (tmp_path / "demo-hub").mkdir()
    (tmp_path / "demo-hub" / "thesis.txt").write_text("years of work")
    done = _run(tmp_path / "demo-hub")
    assert done.returncode != 0
    assert "stays as it is" in done.stderr
    assert (tmp_path / "demo-hub" / "thesis.txt").read_text() == "years of work"
