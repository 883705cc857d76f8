"""What Python's own file functions would raise for each kind of the hub's errors."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from maruhub import errors

P = ParamSpec("P")
T = TypeVar("T")

_ERRNO: Final[dict[type[errors.MaruError], int]] = {
    errors.NotFound: errno.ENOENT,
    errors.AlreadyExists: errno.EEXIST,
    errors.PreconditionFailed: errno.EEXIST,
    errors.BucketNotEmpty: errno.ENOTEMPTY,
    errors.Conflict: errno.EBUSY,
    errors.Busy: errno.EBUSY,
    errors.ReadOnly: errno.EROFS,
    errors.QuotaExceeded: errno.EDQUOT,
    errors.Refused: errno.EACCES,
    errors.NoSpace: errno.ENOSPC,
    errors.Unavailable: errno.EIO,
    errors.Corrupt: errno.EIO,
    errors.InvalidInput: errno.EINVAL,
}


def as_os_error(error: errors.MaruError) -> OSError:
    """An OSError of the kind that callers look for, with the hub's words."""
    number = next(_ERRNO[kind] for kind in type(error).__mro__ if kind in _ERRNO)
    return OSError(number, str(error))


def speaks_os(method: Callable[P, T]) -> Callable[P, T]:
    """A method whose callers look for FileNotFoundError and its kin."""

    @functools.wraps(method)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except errors.MaruError as error:
            raise as_os_error(error) from error

    return run
