"""The benchmarks run, and their results have the shape that tables and plots are made from.

Never what a machine reached: a slow one is no defect.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import page
from benchmarks.run import NAMES
from tests.e2e.maru import ROOT

RUN = ("import_time", "durable_puts")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    where = ["--scratch", str(folder / "scratch"), "--results", str(folder / "results")]
    command = [sys.executable, "benchmarks/run.py", "--quick", *where, *RUN]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert list((folder / "scratch").iterdir()) == []
    return folder / "results"


def _read(results: Path, name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((results / f"{name}.json").read_text())
    return result


@pytest.mark.parametrize("name", RUN)
def test_a_result_has_its_table_and_its_plot(results: Path, name: str):
    result = _read(results, name)
    table = (results / f"{name}.md").read_text()
    assert result["name"] == name
    assert result["quick"] is True
    assert "too small to mean anything" in table
    for group in result["groups"]:
        assert group["title"] in table
        for side in group["sides"]:
            assert f"| {side} |" in table
    assert (results / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", RUN)
def test_sides_of_a_group_were_measured_in_the_same_rounds(results: Path, name: str):
    for group in _read(results, name)["groups"]:
        rounds = {len(values) for values in group["sides"].values()}
        assert len(rounds) == 1
        assert all(value > 0 for values in group["sides"].values() for value in values)


def test_a_comparison_is_the_ratio_of_every_round(results: Path):
    result = _read(results, "durable_puts")
    groups = {group["title"]: group["sides"] for group in result["groups"]}
    assert {one["at_least"] for one in result["comparisons"]} >= {1.5, 0.8, 3}
    for one in result["comparisons"]:
        sides = groups[one["title"]]
        ratios = [ours / peer for ours, peer in zip(sides[one["ours"]], sides[one["peer"]], strict=True)]
        assert one["ratios"] == pytest.approx(ratios)


def test_a_limit_says_whether_it_was_kept(results: Path):
    limits = _read(results, "import_time")["limits"]
    assert limits
    for one in limits:
        assert one["reached"] is (one["value"] <= one["at_most"])


def test_the_machine_is_described_without_its_name_or_paths(results: Path):
    machine = _read(results, "import_time")["machine"]
    assert {"cpu", "cores", "memory_gib", "kernel", "python", "drive"} <= set(machine)
    assert str(results.parent) not in (results / "import_time.json").read_text()


def test_the_page_of_all_results_says_what_was_not_reached(results: Path):
    found = [_read(results, name) for name in RUN]
    one = found[1]["comparisons"][0]
    one |= {"median": 0.5, "at_least": 1.5, "reached": False}
    text = page.write(found, {"durable_puts": "In the\ndrive."})
    assert "What was not:" in text
    assert "**Where the time goes.** In the drive." in text
    assert f"{one['title']}: {one['ours']} ÷ {one['peer']} **0.50 ×**, to reach 1.5 ×." in text


def test_every_benchmark_is_run_by_default_and_says_what_it_is():
    folder = ROOT / "benchmarks"
    modules = {path.stem for path in folder.glob("*.py") if "\ndef measure(bench: Bench)" in path.read_text()}
    assert modules == set(NAMES)


def test_an_unknown_name_is_refused_with_those_that_there_are():
    command = [sys.executable, "benchmarks/run.py", "--quick", "no-such-benchmark"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "warm_reads" in done.stderr
