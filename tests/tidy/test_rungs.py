"""The runner of the tests counts truly: a skip, a failure and a crash each show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT

MIXED = """
import pytest

def test_good(): pass
def test_bad(): assert False
def test_missing(): pytest.skip("no such program")
@pytest.mark.xfail(reason="known")
def test_known(): assert False
@pytest.fixture
def torn():
    yield
    raise OSError("teardown")
def test_torn(torn): pass
"""


def _run(folder: Path, source: str, *, ci: bool) -> dict[str, object]:
    (folder / "test_it.py").write_text(source)
    report = folder / "report.json"
    environment = {**os.environ, "CI": "true" if ci else "", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.plugins.rungs", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", str(folder), "--rung-report", str(report), str(folder)]
    subprocess.run(command, env=environment, cwd=folder, capture_output=True, check=False)
    result: dict[str, object] = json.loads(report.read_text())
    return result


@pytest.mark.parametrize("ci", [False, True])
def test_a_skip_is_counted_and_is_a_failure_in_ci(tmp_path: Path, ci: bool):
    result = _run(tmp_path, MIXED, ci=ci)
    failed = {test.split("::")[1] for test in result["failed"]}
    assert result["passed"] == 1
    assert failed == {"test_bad", "test_torn"} | ({"test_missing"} if ci else set())
    assert sum(result["skipped"].values()) == (1 if ci else 2)
    assert "expected to fail: known" in result["skipped"]


@pytest.mark.parametrize("ci", [False, True])
def test_a_file_skipped_whole_counts_too(tmp_path: Path, ci: bool):
    result = _run(tmp_path, 'import pytest\npytest.importorskip("no_such_module")\n', ci=ci)
    assert bool(result["failed"]) is ci
    assert bool(result["skipped"]) is not ci


def test_a_file_that_cannot_be_imported_is_a_failure(tmp_path: Path):
    assert _run(tmp_path, "import no_such_module\n", ci=False)["failed"]
