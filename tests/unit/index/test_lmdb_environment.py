"""Environments that nobody closed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from maruhub.index.lmdb_environment import ENVIRONMENTS
from maruhub.index.lmdb_index import LmdbIndex


def open_files(folder: Path) -> list[str]:
    links = [Path("/proc/self/fd", number) for number in os.listdir("/proc/self/fd")]
    paths = [os.readlink(link) for link in links if os.path.lexists(link)]
    return [path for path in paths if path.startswith(f"{folder}/")]


def test_the_last_one_that_is_forgotten_closes(tmp_path: Path) -> None:
    index, other = LmdbIndex(tmp_path), LmdbIndex(tmp_path)
    del index
    assert other.get_many([b"key"]) == [None]
    assert open_files(tmp_path)
    del other
    assert open_files(tmp_path) == []


def test_one_that_is_collected_by_a_thread_that_opens_another_is_closed_later(tmp_path: Path) -> None:
    index = LmdbIndex(tmp_path / "one")
    with ENVIRONMENTS._lock:
        del index
        assert open_files(tmp_path / "one")
    LmdbIndex(tmp_path / "another").close()
    assert open_files(tmp_path) == []


def test_no_program_that_is_started_holds_the_files(tmp_path: Path) -> None:
    index = LmdbIndex(tmp_path)
    look = "import os; print(*(os.readlink(f'/proc/self/fd/{n}') for n in range(256) if os.path.lexists(f'/proc/self/fd/{n}')))"
    started = subprocess.run(
        [sys.executable, "-c", look], close_fds=False, capture_output=True, text=True, check=True
    )
    assert str(tmp_path) not in started.stdout
    index.close()
