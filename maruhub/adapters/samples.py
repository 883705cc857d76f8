"""Single samples by number, for frameworks that ask for them one by one or list by list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from maruhub.errors import MaruError


class Sample(NamedTuple):
    """One sample.

    Attributes:
        id: ``bucket/key``.
        data: Its bytes; a read-only view that lives as long as it is held.
        columns: Its attributes and labels as Python values.
    """

    id: str
    data: Any
    columns: dict[str, Any]


def read_samples(view: Any, rows: Sequence[int] | npt.NDArray[Any]) -> list[Sample]:
    """The samples of rows, in their order, repeats allowed; one look-up and one read for all.

    Raises the error of the first one that can't be read, by its id.
    """
    numbers = np.asarray(rows, dtype=np.uint64)
    ids, labels = view.ids(numbers), view.columns(numbers).to_pylist()
    return [
        Sample(name, _read(name, data), columns)
        for name, data, columns in zip(ids, view.read_many(numbers), labels or [{}] * len(ids), strict=True)
    ]


def _read(name: str, data: memoryview | MaruError) -> memoryview:
    if isinstance(data, MaruError):
        raise type(data)(f"sample {name}: {data.what}", hint=data.hint) from data
    return data
