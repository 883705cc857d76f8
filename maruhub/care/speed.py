"""How fast this machine reads small objects from the hub, beside plain files, right now.

Takes objects that are there, writes the same bytes as plain files on the same drive, and
reads both in the same random order, cold (dropped from memory before each lap) and warm,
in turns. Every byte from the hub is verified in the very call.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from maruhub.errors import MaruError, NotFound
from maruhub.store.format.extent import EXTENT_DTYPE, Blobs
from maruhub.store.protocol import prefix_end
from maruhub.store.store import PoolStore

_BATCH: Final = 256
_LAPS: Final = 3
_WARM_LAPS: Final = 5


@dataclass(frozen=True, slots=True)
class Speed:
    """Medians of objects a second, and how many objects of which mean size were read."""

    objects: int
    mean_bytes: float
    hub_warm: float
    files_warm: float
    hub_cold: float
    files_cold: float

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``--json``, with the ratios."""
        ratios = {
            "warm_ratio": self.hub_warm / self.files_warm,
            "cold_ratio": self.hub_cold / self.files_cold,
        }
        return asdict(self) | ratios


def measure_speed(store: PoolStore, scratch: Path, *, objects: int = 2000) -> Speed:
    """Reads up to ``objects`` objects; ``scratch`` takes the plain files, removed after.

    Raises NotFound if the hub holds no object to read.
    """
    rows = store.scan(b"K", prefix_end(b"K"), objects)
    raws = [row.extents_raw for row in rows if row.extents_raw]
    if not raws:
        raise NotFound("The hub holds no objects to measure with.", hint="Ingest something first.")
    folder = Path(tempfile.mkdtemp(prefix="speed-", dir=scratch))
    try:
        return _measure(store, raws, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(store: PoolStore, raws: list[bytes], folder: Path) -> Speed:
    paths = []
    size_bytes = 0
    for number, data in enumerate(_read_hub(store, raws)):
        size_bytes += len(data)
        paths.append(str(folder / str(number)))
        Path(paths[-1]).write_bytes(data)
    os.sync()
    order = list(range(len(raws)))
    random.Random(1).shuffle(order)
    raws, paths = [raws[i] for i in order], [paths[i] for i in order]

    def hub() -> None:
        for _ in _read_hub(store, raws):
            pass

    def files() -> None:
        for path in paths:
            with open(path, "rb") as file:
                file.read()

    def forget() -> None:
        store.drop_from_memory(np.frombuffer(b"".join(raws), EXTENT_DTYPE))
        _drop_files(paths)

    cold = _laps([hub, files], _LAPS, len(raws), before=forget)
    hub()
    files()
    warm = _laps([hub, files], _WARM_LAPS, len(raws), before=lambda: None)
    return Speed(len(raws), size_bytes / len(raws), warm[0], warm[1], cold[0], cold[1])


def _laps(
    readers: Sequence[Callable[[], None]], laps: int, objects: int, *, before: Callable[[], None]
) -> list[float]:
    """Median objects a second of each reader, alternating."""
    rates: list[list[float]] = [[] for _ in readers]
    for _ in range(laps):
        for reader, rate in zip(readers, rates, strict=True):
            before()
            start = time.perf_counter()
            reader()
            rate.append(objects / (time.perf_counter() - start))
    return [statistics.median(rate) for rate in rates]


def _read_hub(store: PoolStore, raws: Sequence[bytes]) -> Iterator[memoryview]:
    for at in range(0, len(raws), _BATCH):
        for data in store.read_many(Blobs.of_raw(raws[at : at + _BATCH])):
            if isinstance(data, MaruError):
                raise data
            yield data


def _drop_files(paths: Sequence[str]) -> None:
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)
