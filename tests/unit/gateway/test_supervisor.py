"""The parent of the workers: what it does when the machine has nothing left for a new one."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub.errors import Unavailable
from maruhub.gateway.serve import supervisor
from maruhub.gateway.serve.options import ServeOptions
from maruhub.gateway.serve.supervisor import Supervisor, _Worker


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def parent(tmp_path: Path, told: list[str]) -> Iterator[Supervisor]:
    parent = Supervisor(ServeOptions(hub=tmp_path, port=0, workers=2), str(tmp_path), told.append)
    yield parent
    parent._stop_all()


def nothing_left(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "nothing left")

    monkeypatch.setattr(supervisor.subprocess if what == "Popen" else supervisor.os, what, refuse)


@pytest.mark.parametrize("what", ["Popen", "pipe"])
def test_a_process_that_is_not_to_be_had_is_no_end(
    parent: Supervisor, told: list[str], monkeypatch: pytest.MonkeyPatch, what: str
):
    """The workers that serve go on, and the place of the one that died is tried again."""
    with subprocess.Popen([sys.executable, "-c", ""]) as died:
        died.wait()
    parent._workers = [_Worker(died, started_s=time.monotonic() - 60)]
    before = os.listdir("/proc/self/fd")
    nothing_left(monkeypatch, what)
    with pytest.raises(Unavailable, match="nothing left"):
        parent._start([0, 1])
    parent._look_after()
    parent._replace()
    assert [word for word in told if "go on" in word]
    assert len(parent._workers) == 1
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_who_is_told_to_stop_waits_for_no_worker_that_starts(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
):
    """A worker that waits for a recovery, or for a drive, may take minutes."""
    before = os.listdir("/proc/self/fd")
    parent = Supervisor(ServeOptions(hub=tmp_path, port=0, workers=2), str(tmp_path), told.append)
    spawned: list[subprocess.Popen[bytes]] = []

    def spawn(place: int) -> tuple[_Worker, int]:
        ready_end, ready = os.pipe()
        command = [sys.executable, "-c", "import signal; signal.pause()"]
        spawned.append(subprocess.Popen(command, pass_fds=[ready]))
        os.close(ready)
        return _Worker(spawned[-1]), ready_end

    monkeypatch.setattr(supervisor, "_READY_S", 5.0)
    monkeypatch.setattr(parent, "_spawn", spawn)
    stopping = threading.Timer(0.2, parent.stop)
    stopping.start()
    parent.reload()
    parent.run()
    stopping.join()
    assert [process.poll() for process in spawned] == [-signal.SIGKILL] * 2
    assert told == []
    assert len(os.listdir("/proc/self/fd")) == len(before)
