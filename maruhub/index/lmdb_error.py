"""LMDB's errors in MaruHub's words: no ``lmdb.Error`` leaves the package."""

from __future__ import annotations

import errno
import os

import lmdb

from maruhub.errors import (
    Busy,
    Corrupt,
    InvalidInput,
    MaruError,
    NoSpace,
    ReadOnly,
    Unavailable,
    UnsupportedFormat,
)

REBUILD_HINT = "Rebuild it from the log: maru check --rebuild-index"

NO_RIGHT = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
"""System errors of a folder that this process may not write."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_LEFT_BYTES_MAX = 64 * 1024
"""A disk on which a write stopped for want of room has less than this left."""

_DAMAGED = (
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.InvalidError,
    lmdb.IncompatibleError,
    lmdb.BadTxnError,
)


def code_of(error: Exception) -> int:
    """The system's error number in an ``OSError`` or ``lmdb.Error``; 0 if none."""
    if isinstance(error, OSError):
        return error.errno or 0
    return int(getattr(error, "code", 0))


def _is_full(path: str) -> bool:
    """Whether an I/O error was the disk's end: LMDB says so of a write that stopped half-way."""
    try:
        disk = os.statvfs(path)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _LEFT_BYTES_MAX


def translated(error: Exception, path: str) -> MaruError:
    """The error to raise in place of an engine's or the system's.

    Args:
        error: An ``lmdb.Error`` or ``OSError``.
        path: The index's folder, for the message.
    """
    code = code_of(error)
    if code in _FULL or isinstance(error, lmdb.MapFullError) or (code == errno.EIO and _is_full(path)):
        return NoSpace(f"No room for the index at {path}: {error}.", hint="Free space on its disk.")
    if code in NO_RIGHT or isinstance(error, lmdb.ReadonlyError):
        return ReadOnly(f"The index at {path} cannot be written: {error}.")
    if isinstance(error, lmdb.BadValsizeError):
        return InvalidInput(f"A key or value does not fit into the index at {path}: {error}.")
    if isinstance(error, lmdb.VersionMismatchError):
        return UnsupportedFormat(f"The index at {path} is of another format: {error}.", hint=REBUILD_HINT)
    if isinstance(error, lmdb.ReadersFullError):
        return Busy(f"All reader slots of the index at {path} are taken.", hint="Run fewer processes on it.")
    if isinstance(error, _DAMAGED):
        return Corrupt(f"The index at {path} is damaged: {error}.", hint=REBUILD_HINT)
    return Unavailable(f"The index at {path} does not answer: {error}.", hint="See what its disk reports.")
