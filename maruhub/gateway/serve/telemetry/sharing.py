"""The folder in which the workers of one server share what they count.

Each has files of its own there. What dead ones have counted is added up in one file a kind: so it
takes as long to read after a thousand changes of workers as before, and what a killed one was at
when it died does not count as under way for ever.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PREFIX: Final = "maru-metrics-"
_OWNER: Final = "owner.lock"
_READING: Final = "reading.lock"
_DEAD: Final = 0
"""In place of a process id in the names of files that hold what the dead have counted."""


@contextlib.contextmanager
def shared_folder() -> Iterator[str]:
    """A new folder for as long as the server's parent runs; those of parents that were killed are removed."""
    _sweep()
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        own = Path(folder, _OWNER)
        with _held(own.with_suffix(".new"), fcntl.LOCK_EX):
            # Locked before it has the name by which others look whether anybody lives.
            own.with_suffix(".new").rename(own)
            yield folder


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # Not there yet, locked, or another user's: not ours to remove.
        with contextlib.suppress(OSError):
            own = os.open(folder / _OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(own).st_uid == os.geteuid():
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(own)


def take_over(folder: Path) -> None:
    """Adds up what workers have counted that are dead by now; for one that begins."""
    with _held(folder / _READING, fcntl.LOCK_EX):
        for file in folder.glob("*.db"):
            kind, process = file.stem.partition("_")[0], int(file.stem.rpartition("_")[2])
            if process == _DEAD or _lives(process):
                continue
            if kind != "gauge":
                _add(file, folder / f"{kind}_{_DEAD}.db")
            file.unlink()


@contextlib.contextmanager
def reading(folder: Path) -> Iterator[None]:
    """While everybody's files are read: nothing is added up meanwhile, which would count twice or not at all."""
    with _held(folder / _READING, fcntl.LOCK_SH):
        yield


def _add(file: Path, into: Path) -> None:
    from prometheus_client.mmap_dict import MmapedDict

    try:
        counted = list(MmapedDict.read_all_values_from_file(str(file)))  # type: ignore[no-untyped-call]
    except (RuntimeError, struct.error):
        return  # its worker was killed while it began the file
    total = MmapedDict(str(into))  # type: ignore[no-untyped-call]
    try:
        for key, value, time_s, _ in counted:
            before, _ = total.read_value(key)  # type: ignore[no-untyped-call]
            total.write_value(key, before + value, time_s)  # type: ignore[no-untyped-call]
    finally:
        total.close()  # type: ignore[no-untyped-call]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def _held(path: Path, how: int) -> Iterator[None]:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)
