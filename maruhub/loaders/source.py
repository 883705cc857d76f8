"""What a loader asks of others: samples to read, and someone who notes what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.store.format.extent import Blobs


class SampleSource(Protocol):
    """A fixed sequence of samples; ``rows`` is ``uint64[m]``, each below ``len``, any order.

    A catalog's view is one. Calls come from one thread at a time, which need not be the
    one that made the source. Answers hold for ever: a source with other samples has
    another digest.
    """

    @property
    def digest(self) -> str:
        """Names exactly these samples in this sequence (hex)."""

    def __len__(self) -> int:
        """How many samples."""

    def ids(self, rows: npt.NDArray[np.uint64]) -> list[str]:
        """The ids of rows, in their order."""

    def blobs(self, rows: npt.NDArray[np.uint64]) -> Blobs:
        """Where the bytes of rows are, in their order."""

    def columns(self, rows: npt.NDArray[np.uint64]) -> pa.Table:
        """Labels and attributes of rows, in their order."""


class Door(Protocol):
    """Where views come from, for batches that go on in a later version. A hub has one."""

    def open(self, digest: str, /) -> SampleSource:
        """The view of a digest; raises NotFound if it was not kept."""

    def keep(self, view: SampleSource, /) -> None:
        """Makes sure that :meth:`open` finds it; raises InvalidInput for what is no view of the hub."""

    def recorder(self, view: SampleSource, /) -> Recorder:
        """Notes what the same run reads of another view."""


class Recorder(Protocol):
    """Notes what a run reads. The lab's recorder is one."""

    def reads(self, view_digest: str, epoch: int, seed: int | None, start: int, stop: int) -> None:
        """Positions ``start … stop`` of that epoch's order are about to be handed out.

        Called before they are, by the thread that asks for the batch; when this raises,
        nothing is handed out. ``seed`` None is the source's own sequence, unshuffled.
        The positions are those of all ranks in this step: more than this rank reads,
        never less.
        """
