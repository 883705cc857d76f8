"""A process that dies in front of its own n-th call: as strace's injection, without its price.

Counts what Python itself calls, all threads together; what LMDB calls only strace sees.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Sequence


def heed(words: Sequence[str]) -> None:
    """Obeys words like ``die=fdatasync:3``."""
    for word in words:
        if word.startswith("die="):
            name, count = word.removeprefix("die=").split(":")
            _die_at(name, int(count))


def _die_at(name: str, count: int) -> None:
    call, calls = getattr(os, name), itertools.count(1)

    def counted(*args, **words):
        if next(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **words)

    setattr(os, name, counted)
