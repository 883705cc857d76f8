"""One training or trial, recorded while it lasts.

What the run has read is the lab's to remember; this face only ties a loader to it.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from maruhub.api.view import DataView
    from maruhub.lab import Run as LabRun
    from maruhub.loaders import Batches, Recorder


class Run:
    """A recorded run: a context manager that finishes the run at its end.

    Args:
        run: The lab's run.
        view: What it trains on.
        seed: The seed of its batches.
    """

    def __init__(self, run: LabRun, view: DataView | None = None, *, seed: int = 0) -> None:
        self.lab_run = run
        self.view = view
        self._seed = seed

    def __repr__(self) -> str:
        return f"<run {self.id}>"

    @property
    def id(self) -> str:
        """The run's id, for ``hub.evaluate`` and ``maru runs``."""
        return self.lab_run.id

    def batches(self, batch_size: int, *, view: DataView | None = None, **options: Any) -> Batches:
        """Recorded batches of the run's view, or of another one."""
        source = view if view is not None else self.view
        assert source is not None, "a run that was opened by id needs view="
        return source.batches(batch_size, run=self, **{"seed": self._seed, **options})

    def recorder(self, view: DataView) -> Recorder:
        """Remembers what a loader over ``view`` hands out."""
        return self.lab_run.recorder(view.catalog_view)

    def log(self, step: int, **metrics: float) -> None:
        """Records metrics at a step."""
        self.lab_run.log(step, **metrics)

    def finish(self, state: str = "finished") -> None:
        """Ends the run; a run that ended already stays as it is."""
        self.lab_run.finish(state)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish("finished" if kind is None else "failed")
