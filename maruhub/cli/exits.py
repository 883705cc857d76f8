"""From the kind of an error to the exit status of ``maru``: one table.

A status says what the caller does next, as the kinds do; ``docs/reference/exit-status.md``
lists the same, and a test compares both with every class of ``maruhub.errors``.
"""

from __future__ import annotations

import errno
from typing import Final

from maruhub import errors

DONE: Final = 0
FAULT: Final = 1
"""An error that MaruHub did not foresee: a bug of ours, or of the machine."""
USAGE: Final = 2
INCOMPLETE: Final = 10
"""The command ended and what it did is kept, but some items were refused."""
INTERRUPTED: Final = 130
"""Ctrl-C, as shells have it: 128 + SIGINT."""
BROKEN_PIPE: Final = 141
"""Whoever read the output left: 128 + SIGPIPE."""

STATUS: Final[dict[type[errors.MaruError], int]] = {
    errors.InvalidInput: USAGE,
    errors.NotFound: 3,
    errors.Conflict: 4,
    errors.Refused: 5,
    errors.NotHeldOut: 6,
    errors.Busy: 7,
    errors.Unavailable: 8,
    errors.Corrupt: 9,
}
"""Kinds not listed take the status of their nearest listed ancestor."""

_SYSTEM: Final[dict[int | None, type[errors.MaruError]]] = {
    errno.ENOENT: errors.NotFound,
    errno.ENOTDIR: errors.NotFound,
    errno.EEXIST: errors.AlreadyExists,
    errno.EISDIR: errors.InvalidInput,
    errno.ENAMETOOLONG: errors.InvalidName,
    errno.EACCES: errors.Refused,
    errno.EPERM: errors.Refused,
    errno.EROFS: errors.ReadOnly,
    errno.ENOSPC: errors.NoSpace,
    errno.EDQUOT: errors.NoSpace,
}


def status_of(error: errors.MaruError) -> int:
    """The exit status of an error; ``FAULT`` for a kind that the table forgot."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return FAULT


def from_system(error: OSError) -> errors.MaruError | None:
    """An operating system's answer about a user's own file, as one of our kinds.

    None: not a user's mistake, so not ours to translate.
    """
    kind = _SYSTEM.get(error.errno)
    if kind is None:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return kind(f"{where}{error.strerror}.")
