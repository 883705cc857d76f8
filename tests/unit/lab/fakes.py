"""A catalog of plain lists, for tests of the lab alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from maruhub.errors import NotFound
from maruhub.lab import Lab
from maruhub.lab.overlap import _DERIVED
from maruhub.loaders.order import positions_of
from maruhub.store.format.extent import Blobs
from maruhub.store.protocol import Store

Rows = npt.NDArray[np.uint64]


@dataclass
class Home:
    """What stands for a namespace."""

    store: Store
    actor: str = "me@here"


class FakeCatalog:
    """Views that were saved."""

    def __init__(self) -> None:
        self.saved: dict[str, FakeView] = {}

    def view(self, digest: str, /) -> FakeView:
        if digest not in self.saved:
            raise NotFound(f"no view {digest} was saved.")
        return self.saved[digest]


class FakeView:
    """Samples as (id, bytes); nothing is stored."""

    def __init__(
        self,
        catalog: FakeCatalog,
        samples: Sequence[tuple[str, bytes]],
        *,
        split: str | None = None,
        dataset: str = "cats",
    ) -> None:
        self._catalog = catalog
        self._ids = [name for name, _ in samples]
        self._sums = np.array(
            [list(hashlib.sha256(data).digest()) for _, data in samples], dtype=np.uint8
        ).reshape(-1, 32)
        roots = [_DERIVED.sub("", name) for name in self._ids]
        self._roots = np.array(
            [xxhash.xxh3_64_intdigest(root.encode(), 5) for root in roots], dtype=np.uint64
        )
        self.digest = hashlib.sha256(repr(samples).encode()).hexdigest()
        self.dataset_name, self.version_name, self.is_split = dataset, "v1", split

    def __len__(self) -> int:
        return len(self._ids)

    def ids(self, rows: Rows) -> list[str]:
        return [self._ids[row] for row in rows.tolist()]

    def root_hash(self, rows: Rows) -> npt.NDArray[np.uint64]:
        return self._roots[rows.astype(np.int64)]

    def sha256(self, rows: Rows) -> npt.NDArray[np.uint8]:
        return self._sums[rows.astype(np.int64)]

    def blobs(self, rows: Rows) -> Blobs:
        return Blobs.of([()] * len(rows))

    def columns(self, rows: Rows) -> pa.Table:
        return pa.table({"row": rows})

    def save(self) -> None:
        self._catalog.saved[self.digest] = self


def samples(start: int, stop: int, bucket: str = "b") -> list[tuple[str, bytes]]:
    """Samples ``b/start`` …, each with bytes of its own."""
    return [(f"{bucket}/{i}", f"{bucket} {i}".encode()) for i in range(start, stop)]


def make_lab(store: Store, *, ordered: bool = True) -> tuple[Lab, FakeCatalog]:
    """A lab over a fake catalog."""
    catalog = FakeCatalog()
    return Lab(catalog, Home(store), order=positions_of if ordered else None), catalog
