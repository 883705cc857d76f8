"""Standard output that says of itself when it cannot be written.

The system's answer to a write names no file: on a full disk below ``maru ls > list`` it is
the same as the hub's own, and people would look for space in the wrong place.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from maruhub.errors import Unavailable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class OutputLost(Unavailable):
    """What the command printed did not arrive, whole or in part."""


class _Output(io.FileIO):
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:  # whoever read it has left, which is no error
            raise
        except OSError as error:
            raise OutputLost(
                f"Standard output could not be written: {error.strerror}.",
                hint="What was printed is not whole; what the command did in the hub is kept.",
            ) from error


@contextlib.contextmanager
def told_output() -> Iterator[None]:
    """While the body runs, ``sys.stdout`` raises OutputLost; not where somebody replaced it."""
    before = sys.stdout
    if before is not sys.__stdout__:
        yield
        return
    # A closed one is given a file that refuses writing, so that no file of the hub gets its number.
    number = os.open(os.devnull, os.O_RDONLY) if before is None else before.fileno()
    output = io.BufferedWriter(_Output(number, "wb", closefd=False))
    encoding = "utf-8" if before is None else before.encoding
    told = io.TextIOWrapper(output, encoding, "backslashreplace", line_buffering=os.isatty(number))
    sys.stdout = told
    try:
        yield
    finally:
        sys.stdout = before


def forget_output() -> None:
    """Nobody reads standard output any more: the interpreter's last flush must not complain."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
