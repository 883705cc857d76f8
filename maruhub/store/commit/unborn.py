"""Logs that a process has begun and that no committed turn names yet.

A marker, an empty file beside the index, stands from before a log's files are made until
its layout is on record. Whoever opens the hub after a kill looks at those logs: one may
hold a turn that was synced and never reached the index. Markers needn't survive the power:
after that every log is looked at.
"""

from __future__ import annotations

import contextlib
from pathlib import Path


class Unborn:
    """The markers in one folder, which is made with the first of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, segment: int) -> None:
        """Before the first file of the segment is made; raises OSError if it can't be."""
        self._folder.mkdir(exist_ok=True)
        (self._folder / f"{segment:016x}").touch()

    def remove(self, segment: int) -> None:
        """Once the segment is on record, or there is none; a marker left over does no harm."""
        with contextlib.suppress(OSError):
            (self._folder / f"{segment:016x}").unlink()

    def segments(self) -> list[int]:
        """All that are marked, by whatever process."""
        try:
            return [int(path.name, 16) for path in self._folder.iterdir()]
        except (OSError, ValueError):
            return []
