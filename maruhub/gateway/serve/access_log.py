"""The access log: a line of JSON a request, without queries, which may hold signatures."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii as quoted

from maruhub.gateway.serve.register import Ended


class AccessLog:
    """Appends whole lines; several workers may share one file. Used by one thread at a time.

    Args:
        target: A file, ``-`` for standard output, empty for none.
    """

    def __init__(self, target: str) -> None:
        self._file: int | None = None
        if target == "-":
            self._file = os.dup(sys.stdout.fileno())
        elif target:
            self._file = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def write(self, ended: Iterable[Ended]) -> None:
        """Writes a line for each; a log that can't be written loses lines, never a request."""
        if self._file is None:
            return
        lines = "".join(map(_line, ended))
        if lines:
            try:
                os.write(self._file, lines.encode())
            except OSError:
                pass

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _line(one: Ended) -> str:
    second, rest = divmod(one.at_s, 1)
    # Text from outside is quoted; the rest is of our own making.
    return (
        f'{{"time": "{_stamp(int(second))}.{int(rest * 1000):03d}Z", "id": "{one.id}", '
        f'"client": {quoted(one.client)}, "key": {quoted(one.key)}, "operation": {quoted(one.operation)}, '
        f'"method": {quoted(one.method)}, "path": {quoted(one.path)}, "status": {one.status}, '
        f'"received": {one.received}, "sent": {one.sent}, "ms": {round(one.seconds * 1000, 3)}}}\n'
    )


@functools.lru_cache(maxsize=4)
def _stamp(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
