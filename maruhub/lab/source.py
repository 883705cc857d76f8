"""What the lab asks of the catalog: views that can be opened again, and compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.uint64]
"""``uint64[m]``: rows of a view, each below its length."""


class ReadView(Protocol):
    """A view whose samples can be told apart. The catalog's view is one."""

    @property
    def digest(self) -> str:
        """Names exactly these samples in this sequence."""

    def __len__(self) -> int: ...

    def ids(self, rows: Rows) -> list[str]:
        """Sample ids."""

    def root_hash(self, rows: Rows) -> npt.NDArray[np.uint64]:
        """Keyed hash of each sample's root id: the same over all datasets of the pool."""

    def sha256(self, rows: Rows) -> npt.NDArray[np.uint8]:
        """Digest of each sample's bytes, ``uint8[m, 32]``."""


class RunView(Protocol):
    """A view that a run may train on."""

    @property
    def digest(self) -> str:
        """Names exactly these samples in this sequence."""

    def __len__(self) -> int: ...

    @property
    def dataset_name(self) -> str: ...

    @property
    def version_name(self) -> str: ...

    @property
    def is_split(self) -> str | None:
        """The split that all its samples belong to."""

    def save(self) -> object:
        """Keeps it, so that the catalog opens it by its digest."""


class LabView(ReadView, RunView, Protocol):
    """A view that a run may be evaluated on."""


class Views(Protocol):
    """Opens saved views. The catalog is one."""

    def view(self, digest: str, /) -> ReadView:
        """Raises NotFound if there is none (any more)."""


Order = Callable[[int, int | None, int, Rows], Rows]
"""``order(size, seed, epoch, rows)``: at which positions of that epoch the rows come.

The loaders know it (``maruhub.loaders.order.positions_of``); the lab stands below them and
is handed it. Without it an epoch that was begun counts as read whole: more, never less.
"""
