"""One keeper at a time: a second one is refused, and takes nothing from the first."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from pathlib import Path

import pytest

from maruhub.care.notice import NoticeBoard
from maruhub.errors import Busy


def test_whoever_is_refused_leaves_the_lock_and_the_notice_to_its_owner(tmp_path: Path):
    board = NoticeBoard(tmp_path / "notice")
    with board.held():
        with pytest.raises(Busy), board.held():
            pass
        board.post("seal", 1, 2, None)
        found = NoticeBoard(tmp_path / "notice").read()
        assert found is not None
        assert found.doing == "seal"
    with board.held():
        pass
    assert board.read() is None


def test_a_child_forked_meanwhile_does_not_hold_on(tmp_path: Path):
    board = NoticeBoard(tmp_path / "notice")
    with board.held():
        child = os.fork()
        if not child:
            signal.pause()
            os._exit(0)
    try:
        with board.held():
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_whoever_only_looks_is_not_taken_for_a_keeper(tmp_path: Path):
    board = NoticeBoard(tmp_path / "notice")
    with board.held():
        pass
    looking = os.open(tmp_path / "notice", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.03, os.close, [looking]).start()
    with board.held():
        pass
