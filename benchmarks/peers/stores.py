"""The same samples in the form that each peer reads: plain files, and what their writers make of them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.numbered import Numbered
from benchmarks.peers.crew import Crew
from benchmarks.peers.process import Side
from benchmarks.samples import write_files

_SHARD_MAX = 64 << 20


class Stores:
    """The same samples in the form that each side reads, below one folder."""

    def __init__(self, folder: Path, samples: Numbered) -> None:
        self.folder = folder
        self.samples = samples
        self.files = write_files(folder / "files", samples)

    def pack(self, crew: Crew) -> dict[str, float]:
        """Makes every store that a side of the crew reads; seconds of each."""
        took: dict[str, float] = {}
        shard = min(_SHARD_MAX, self.samples.size_bytes // 8)

        def pack(side: Side) -> None:
            if side.store in took or side.store == "files":
                return
            words = {"files": str(self.folder / "files"), "target": str(self.folder / side.store)}
            took[side.store] = crew.ask(side, "pack", **words, shard=shard)["seconds"]

        crew.each(pack)
        return took

    def space(self, store: str) -> float:
        """Bytes that a store takes on the drive, as a multiple of the samples' own."""
        blocks = sum(path.stat().st_blocks for path in (self.folder / store).rglob("*") if path.is_file())
        return blocks * 512 / self.samples.size_bytes

    def path(self, side: Side) -> str:
        return str(self.folder / side.store)

    def all_files(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]
