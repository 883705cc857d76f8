"""The parent of the workers: what it does when the machine has nothing left for a new one."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
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
