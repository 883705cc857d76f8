"""A batch between two processes of one machine: what a worker found, and the trainer takes.

Bytes that cross from a worker are copied into shared memory that is new each time; that costs more
than reading them. So where nothing is made of them, a worker hands over what it found in reading a
planned batch: ids, columns, which samples can't be had. Its reading has brought the bytes into
memory; the trainer takes them from its own mapping, by a read like any other, which checks every
sum. Nothing depends on what the worker has seen: pages may have gone and come back meanwhile,
files been moved or repaired. Only what lay in no mapping (decoded from other strips, joined of
pieces, received from a hub elsewhere) is carried over as bytes, since having it again would cost
what it cost before.
"""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from maruhub.adapters.arrays import as_arrays, columns_of, joined
from maruhub.errors import MaruError
from maruhub.loaders import Skipped
from maruhub.loaders.reading import Fetched
from maruhub.loaders.walk import Planned, Rows, fetch_planned, read_planned


class Finding(NamedTuple):
    """A batch as it was found, without the bytes that lie in mapped files.

    Attributes:
        ids: Of its samples.
        rows: ``uint64[m]``, their rows in the view.
        columns: Labels and attributes by name.
        carried: Which samples' bytes come along.
        data: ``uint8[n]``, these, one behind the other.
        offsets: ``int64[len(carried) + 1]``, where each of them begins.
        skipped: What could not be had.
    """

    ids: list[str]
    rows: npt.NDArray[np.uint64]
    columns: dict[str, Any]
    carried: list[int]
    data: Any
    offsets: npt.NDArray[np.int64]
    skipped: tuple[Skipped, ...]


class Taken(NamedTuple):
    """A batch as :func:`maruhub.adapters.arrays.as_arrays` has it, and what handing it out means."""

    arrays: dict[str, Any]
    samples: int
    size_bytes: int
    skipped: tuple[Skipped, ...]


def find(view: Rows, planned: Sequence[Planned]) -> list[Finding | None]:
    """Reads planned batches that nothing is made of, all in one call.

    None in place of one that its assembly refuses: whoever takes it reads it, and raises.
    """
    return [
        _found(each, fetched) for each, fetched in zip(planned, fetch_planned(view, planned), strict=True)
    ]


def _found(planned: Planned, fetched: Fetched) -> Finding | None:
    try:
        ready = planned.assembly.ready(fetched)
    except MaruError:
        return None
    batch = ready.batch
    carried = [i for i, blob in enumerate(batch.blobs) if not isinstance(blob.obj, mmap.mmap)]
    data, offsets = joined([batch.blobs[i] for i in carried])
    return Finding(batch.ids, batch.positions, columns_of(batch), carried, data, offsets, ready.skipped)


def take(view: Rows, planned: Planned, found: Finding | None) -> Taken:
    """The batch with its bytes, every one of them read and checked here or by who carried it.

    Args:
        view: The samples, as this process has them.
        planned: What was found.
        found: What was found of it. Where all bytes came along, the arrays are its own.

    Raises:
        MaruError: As the assembly says, if a sample can't be had, or was lost since it was found.
    """
    if found is None:
        return _read_again(view, planned)
    data, offsets = found.data, found.offsets
    if len(found.carried) < len(found.ids):
        blobs = _blobs(view, found)
        if blobs is None:
            return _read_again(view, planned)
        data, offsets = joined(blobs)
    arrays = {"data": data, "offsets": offsets, "ids": found.ids, **found.columns}
    return Taken(arrays, len(found.ids), int(offsets[-1]), found.skipped)


def _blobs(view: Rows, found: Finding) -> list[memoryview] | None:
    """Bytes of all its samples, in order; None if one can't be had any more."""
    here = np.delete(np.arange(len(found.ids)), found.carried)
    whole, cuts = memoryview(found.data), itertools.pairwise(found.offsets.tolist())
    blobs = [memoryview(b"")] * len(found.ids)
    for i, (start, end) in zip(found.carried, cuts, strict=True):
        blobs[i] = whole[start:end]
    for i, part in zip(here.tolist(), view.read_many(found.rows[here], announce=False), strict=True):
        if isinstance(part, MaruError):
            return None
        blobs[i] = part
    return blobs


def _read_again(view: Rows, planned: Planned) -> Taken:
    ready = read_planned(view, planned)
    return Taken(as_arrays(ready.batch), len(ready.batch), ready.size_bytes, ready.skipped)
