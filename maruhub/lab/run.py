"""A run: one training or trial, with what it used, what it read and what it reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any, Self

from maruhub.lab.claim import Claim
from maruhub.lab.info import RunInfo, check_end
from maruhub.lab.ledger import Ledger, no_such_run
from maruhub.lab.metrics import MetricLog, Series, series_of
from maruhub.lab.recorder import RunRecorder
from maruhub.lab.score import Score
from maruhub.lab.source import RunView


class Run:
    """A run at hand. As a context manager it finishes at the end, or fails with the error.

    Safe from many threads. Get one by ``lab.runs.start`` or ``lab.runs.get``.
    """

    def __init__(self, ledger: Ledger, id: str) -> None:
        self.id = id
        self._ledger = ledger
        self._recorders: list[RunRecorder] = []
        self._metrics = MetricLog(ledger, id)

    @property
    def info(self) -> RunInfo:
        """What is recorded of it now; raises NoSuchRun."""
        info = self._ledger.info(self.id)
        if info is None:
            raise no_such_run(self.id)
        return info

    @property
    def name(self) -> str:
        """Its name."""
        return self.info.name

    @property
    def state(self) -> str:
        """One of :data:`maruhub.lab.info.STATES`."""
        return self.info.state

    def recorder(self, view: RunView, *, purpose: str = "train") -> RunRecorder:
        """What a loader over ``view`` tells what it hands out: the token of a held-out score.

        Saves the view. Everything recorded counts as seen, whatever the ``purpose``: a
        validation split that chose the model isn't held out any more.
        """
        view.save()
        recorder = RunRecorder(self._ledger, self.id, digest=view.digest, size=len(view), purpose=purpose)
        self._recorders.append(recorder)
        return recorder

    def log(self, step: int, **metrics: Any) -> None:
        """Metrics at a step; written in chunks (see ``metrics``)."""
        self._metrics.log(step, metrics)

    def metrics(self) -> Series:
        """All metrics: each one's (step, value), by step."""
        self._metrics.flush()
        return series_of(self._ledger.points(self.id))

    def reads(self) -> Sequence[Claim]:
        """What it claims to have read, a recorder each."""
        return self._ledger.claims(self.id)

    def scores(self) -> Sequence[Score]:
        """Its scores, oldest first."""
        return list(self._ledger.scores(self.id))

    def finish(self, state: str = "finished", *, reason: str = "") -> None:
        """Ends it: metrics are flushed, claims trimmed to what was handed out.

        A run that ended already stays as it is. Raises InvalidInput for an unknown state.
        """
        check_end(state)
        self._metrics.flush()
        for recorder in self._recorders:
            recorder.close()
        self._ledger.end(self.id, state, reason)

    def to_json(self) -> dict[str, Any]:
        """For faces: plain values."""
        info = self.info
        address = f"{info.dataset}@{info.version}"
        series = self.metrics()
        return asdict(info) | {
            "version": address,
            "metrics": {name: points[-1][1] for name, points in series.items()},
            "reads": [claim.to_json() for claim in self.reads()],
            "scores": [score.to_json() for score in self.scores()],
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.finish()
        else:
            self.finish("failed", reason=f"{type(error).__name__}: {error}")

    def __repr__(self) -> str:
        return f"<run {self.id}>"
