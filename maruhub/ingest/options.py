"""The options of an ingest: each with its unit, default, bounds and a line of help."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from maruhub import argument
from maruhub.errors import InvalidInput

Labels = Literal["none", "folder", "sidecar"]
_LABELS: Final = ("none", "folder", "sidecar")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """How to ingest. The defaults are right for most sources.

    Args:
        workers: Threads that read, sum and put; 0 = as many as the processors, 4 to 16.
        batch_items: Objects a commit, 1 to 4,096; the first commits have fewer.
        batch_bytes: Bytes a commit, 1 to 256 MiB; a worker holds at most one batch. What is
            worth a segment (a fifth of one) goes straight into strips.
        large_bytes: A larger object is streamed alone, never held whole, up to 256 MiB.
        include: Globs of names to take; none = all. See ``pattern``.
        exclude: Globs of names to leave out, whole folders too.
        labels: ``folder``: the first folder below the source is the class; ``sidecar``:
            ``x.json``, ``x.txt``, ``x.cls`` describe ``x.jpg``; ``none``: neither.
        follow_symlinks: Also take what links out of the source lead to.
        recheck: Compare SHA-256 with what the hub has, not only size and time.
        unpack: Take an archive's members; False stores the archive as one object.
        ratio_max: An archive may unpack to so many times its size, at least 1.
        members_max: Members of an archive, at least 1.
        archive_bytes_max: Bytes that an archive may unpack to.
        refusals_max: Refusals kept in the report with their messages; all are counted.
        leave_out: Folders never entered, such as the hub's own.
    """

    workers: int = 0
    batch_items: int = 4096
    batch_bytes: int = 64 << 20
    large_bytes: int = 8 << 20
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    labels: Labels = "none"
    follow_symlinks: bool = False
    recheck: bool = False
    unpack: bool = True
    ratio_max: int = 1000
    members_max: int = 1_000_000
    archive_bytes_max: int = 16 << 40
    refusals_max: int = 10_000
    leave_out: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        argument.whole("workers", self.workers, low=0, high=256)
        argument.whole("batch_items", self.batch_items, low=1, high=4096)
        argument.whole("batch_bytes", self.batch_bytes, low=1, high=256 << 20)
        argument.whole("large_bytes", self.large_bytes, low=0, high=256 << 20)
        argument.whole("ratio_max", self.ratio_max, low=1, high=1 << 30)
        argument.whole("members_max", self.members_max, low=1, high=1 << 30)
        argument.whole("archive_bytes_max", self.archive_bytes_max, low=1, high=1 << 60)
        argument.whole("refusals_max", self.refusals_max, low=0, high=10_000_000)
        if self.labels not in _LABELS:
            raise InvalidInput(f"labels can't be {self.labels!r}.", hint=f"Use one of {', '.join(_LABELS)}.")
        if any(not pattern.strip("/") for pattern in self.include + self.exclude):
            raise InvalidInput("An empty pattern names nothing.", hint="Leave it out, or use '*'.")

    @property
    def worker_count(self) -> int:
        """Threads, the default worked out."""
        return self.workers or min(16, max(4, os.cpu_count() or 1))
