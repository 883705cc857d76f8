"""Sample sources for tests: one over a store, one computed, of any size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from maruhub.loaders.ahead import take_blobs
from maruhub.store.format.extent import EXTENT_DTYPE, Blob, Blobs, ExtentArray
from maruhub.store.protocol import Store

Rows = npt.NDArray[np.uint64]


class StoredSource:
    """Samples ``b/0`` … whose bytes are in a store; labels are row % 10."""

    def __init__(self, store: Store, payloads: Sequence[bytes], digest: str = "d0") -> None:
        self.digest = digest
        self.payloads = list(payloads)
        self.stored: list[Blob] = store.append(self.payloads)
        # Addresses count once a committed row names them.
        extents = [extent for blob in self.stored for extent in blob]
        store.commit(lambda rows: rows.put(b"I" + digest.encode(), b"", extents=extents))
        self._blobs = Blobs.of(self.stored)
        self._table = pa.table({"label": np.arange(len(payloads)) % 10})

    def __len__(self) -> int:
        return len(self.payloads)

    def ids(self, rows: Rows) -> list[str]:
        return [f"b/{row}" for row in rows.tolist()]

    def blobs(self, rows: Rows) -> Blobs:
        return take_blobs(self._blobs, rows.astype(np.int64))

    def columns(self, rows: Rows) -> pa.Table:
        return self._table.take(pa.array(rows))


class SyntheticSource:
    """``size`` samples of which nothing is kept: everything is computed from the row."""

    def __init__(self, size: int, digest: str = "synthetic") -> None:
        self.digest = digest
        self.size = size

    def __len__(self) -> int:
        return self.size

    def ids(self, rows: Rows) -> list[str]:
        return [f"s/{row}" for row in rows.tolist()]

    def blobs(self, rows: Rows) -> Blobs:
        extents = np.zeros(len(rows), dtype=EXTENT_DTYPE)
        extents["segment"] = rows // np.uint64(1 << 16)
        extents["offset"] = rows % np.uint64(1 << 16) * np.uint64(53248)
        extents["length"] = 50_000
        return Blobs(extents, np.arange(len(rows) + 1, dtype=np.int64))

    def columns(self, rows: Rows) -> pa.Table:
        return pa.table({"label": rows % np.uint64(10)})


class BlankStore:
    """Answers every read with the same bytes; keeps what was asked."""

    def __init__(self, size_bytes: int = 50_000) -> None:
        self._view = memoryview(bytes(size_bytes))
        self.announced = 0
        self.read = 0
        self.calls: list[tuple[str, int]] = []
        self.keep_calls = True

    def announce(self, extents: ExtentArray) -> None:
        self.announced += len(extents)
        self._note("announce", len(extents))

    def read_many(self, blobs: Blobs, *, verify: bool = True) -> list[memoryview]:
        self.read += len(blobs)
        self._note("read", len(blobs))
        return [self._view] * len(blobs)

    def _note(self, what: str, count: int) -> None:
        if self.keep_calls:
            self.calls.append((what, count))


class TableSource:
    """A table as samples without bytes of their own: what orders are made over."""

    def __init__(self, rows: pa.Table, digest: str = "table") -> None:
        self.digest = digest
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def ids(self, rows: Rows) -> list[str]:
        return [f"t/{row}" for row in rows.tolist()]

    def blobs(self, rows: Rows) -> Blobs:
        return SyntheticSource(len(self)).blobs(rows)

    def columns(self, rows: Rows) -> pa.Table:
        return self.rows.take(pa.array(rows))
