"""The access log: a line of JSON a request, without queries, which may hold signatures."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

_HELD_LINES = 256
_HELD_S = 0.5


class AccessLog:
    """Appends whole lines; several workers may share one file. Used from one event loop.

    Args:
        target: A file, ``-`` for standard output, empty for none.
    """

    def __init__(self, target: str) -> None:
        self._file: int | None = None
        if target == "-":
            self._file = os.dup(sys.stdout.fileno())
        elif target:
            self._file = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._lines: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_kept(self) -> bool:
        """Whether there is one."""
        return self._file is not None

    def write(self, **fields: Any) -> None:
        """Notes one request; it is written within half a second."""
        if self._file is None:
            return
        moment = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"
        self._lines.append(json.dumps({"time": stamp, **fields}, ensure_ascii=True) + "\n")
        if len(self._lines) >= _HELD_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_HELD_S, self.flush)

    def flush(self) -> None:
        """Writes what is held; a log that can't be written loses lines, never a request."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if self._file is not None and lines:
            try:
                os.write(self._file, "".join(lines).encode())
            except OSError:
                pass

    def close(self) -> None:
        """Writes the rest."""
        self.flush()
        if self._file is not None:
            os.close(self._file)
            self._file = None
