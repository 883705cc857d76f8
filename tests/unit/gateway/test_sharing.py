"""What workers count together, although they die; and what a killed parent leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from maruhub.gateway.serve.telemetry.sharing import reading, shared_folder, take_over

WORKER = """
import os, signal, sys
from pathlib import Path
from maruhub import config
from maruhub.gateway.serve.telemetry.sharing import take_over
config.share_metrics_in(sys.argv[1])
take_over(Path(sys.argv[1]))
from maruhub.gateway.serve.telemetry.ended import Ended
from maruhub.gateway.serve.telemetry.metrics import Metrics
metrics = Metrics()
metrics.waits(2)
ended = Ended(0.0, 0.25, "1", "a:1", "", "GetObject", "GET", "/a", 200, 10, 100)
metrics.count([ended] * 3, refused=1, unlogged=0)
os.kill(os.getpid(), signal.SIGKILL)
"""
PARENT = """
import signal, sys, time
from maruhub.gateway.serve.telemetry.sharing import shared_folder
with shared_folder() as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


def work_and_die(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", WORKER, folder], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def told(folder: Path) -> list[str]:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    with reading(folder):
        return generate_latest(registry).decode().splitlines()


def test_what_the_dead_have_counted_is_kept_in_as_few_files_as_of_one(tmp_path: Path):
    for _ in range(4):
        work_and_die(tmp_path)
    assert len(list(tmp_path.glob("*.db"))) == 5  # counters and histograms of the dead, and three of the last
    take_over(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["counter_0.db", "histogram_0.db"]
    for line in (
        'maru_http_requests_total{operation="GetObject",status="200"} 12.0',
        'maru_http_request_seconds_count{operation="GetObject"} 12.0',
        'maru_http_request_seconds_bucket{le="0.2",operation="GetObject"} 0.0',
        'maru_http_request_seconds_bucket{le="0.5",operation="GetObject"} 12.0',
        "maru_http_sent_bytes_total 1200.0",
        "maru_http_refused_signatures_total 4.0",
    ):
        assert line in told(tmp_path)
    # Nobody is at anything any more.
    assert [line for line in told(tmp_path) if line.startswith("maru_http_requests_in_flight ")] == []


def test_files_of_the_living_stay_their_own(tmp_path: Path):
    work_and_die(tmp_path)
    for file in tmp_path.glob("*.db"):
        kind = file.stem.rpartition("_")[0]
        file.rename(tmp_path / f"{kind}_{os.getpid()}.db")
    before = told(tmp_path)
    take_over(tmp_path)
    assert len(list(tmp_path.glob(f"*_{os.getpid()}.db"))) == 3
    assert told(tmp_path) == before
    assert "maru_http_requests_in_flight 2.0" in before


@pytest.mark.parametrize("beginning", [b"", b"\x00\x10\x00\x00" + bytes(60)])
def test_a_file_that_was_only_begun_is_no_end(tmp_path: Path, beginning: bytes):
    work_and_die(tmp_path)
    died = subprocess.Popen([sys.executable, "-c", ""])
    died.wait()
    (tmp_path / f"counter_{died.pid}.db").write_bytes(beginning)
    take_over(tmp_path)
    assert "maru_http_sent_bytes_total 300.0" in told(tmp_path)
    assert len(list(tmp_path.glob("*.db"))) == 2


def test_the_folder_of_a_killed_parent_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    parents = [
        subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    folders = [Path(parent.stdout.readline().strip()) for parent in parents if parent.stdout]
    (tmp_path / "maru-metrics-another").mkdir()
    parents[0].kill()
    parents[0].wait()
    with shared_folder() as own:
        assert [folder.exists() for folder in folders] == [False, True]
        assert Path(own).is_dir()
    assert not Path(own).exists()
    parents[1].kill()
    for parent in parents:
        parent.communicate()
