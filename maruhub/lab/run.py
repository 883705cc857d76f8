"""A run: one training or trial, with what it used, what it read and what it reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from types import TracebackType
from typing import Any, Final, Self

from maruhub.errors import InvalidInput, NoSuchRun, Refused
from maruhub.lab.metrics import MetricLog, Series, read_metrics
from maruhub.lab.recorder import Claim, RunRecorder
from maruhub.lab.row import CLAIMS, SCORES, decode, encode, of_run, run_key
from maruhub.lab.score import Score
from maruhub.lab.source import LabView
from maruhub.store.format.row import Row
from maruhub.store.protocol import Rows, Store, get, prefix_end, scan_all

STATES: Final = ("running", "finished", "failed", "abandoned")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a run's row says.

    Attributes:
        id: Sorts by when the run was started.
        view: Digest of what it trains on; ``dataset``, ``version`` and ``split`` of it.
        code: A commit, a file, a text.
        parents: What its model began with: ids of runs, or other names (then nobody can
            tell what those have read).
        state: One of :data:`STATES`; ``reason`` says why it failed.
    """

    id: str
    name: str
    view: str
    dataset: str
    version: str
    split: str | None
    samples: int
    code: str
    parameters: dict[str, Any]
    seed: int
    started_us: int
    finished_us: int = 0
    parents: list[str] = field(default_factory=list)
    state: str = "running"
    reason: str = ""
    actor: str = ""

    def encode(self) -> bytes:
        """The row's payload: all but the id and the actor, which stand elsewhere."""
        payload = asdict(self)
        del payload["id"]
        return encode(payload)

    @classmethod
    def of_row(cls, row: Row) -> RunInfo:
        """From a row ``Rr``; fields that a later release added are left out."""
        known = {f.name for f in fields(cls)}
        payload = {name: value for name, value in decode(row).items() if name in known}
        return cls(id=row.key[2:].decode(), **payload)


class Run:
    """A run at hand. As a context manager it finishes at the end, or fails with the error.

    Safe from many threads. Get one by ``lab.runs.start`` or ``lab.runs.get``.
    """

    def __init__(self, store: Store, id: str, *, actor: str = "") -> None:
        self.id = id
        self._store = store
        self._actor = actor
        self._recorders: list[RunRecorder] = []
        self._metrics = MetricLog(store, id, actor=actor)

    @property
    def info(self) -> RunInfo:
        """What is recorded of it now; raises NoSuchRun."""
        row = get(self._store, run_key(self.id))
        if row is None:
            raise NoSuchRun(f"run {self.id} does not exist.", hint="List them: `maru runs`.")
        return RunInfo.of_row(row)

    @property
    def name(self) -> str:
        """Its name."""
        return self.info.name

    @property
    def state(self) -> str:
        """One of :data:`STATES`."""
        return self.info.state

    def recorder(self, view: LabView, *, purpose: str = "train") -> RunRecorder:
        """What a loader over ``view`` tells what it hands out: the token of a held-out score.

        Saves the view. Everything recorded counts as seen, whatever the ``purpose``: a
        validation split that chose the model isn't held out any more.
        """
        view.save()
        recorder = RunRecorder(
            self._store, self.id, digest=view.digest, size=len(view), actor=self._actor, purpose=purpose
        )
        self._recorders.append(recorder)
        return recorder

    def log(self, step: int, **metrics: Any) -> None:
        """Metrics at a step; written in chunks (see ``metrics``)."""
        self._metrics.log(step, metrics)

    def metrics(self) -> Series:
        """All metrics: each one's (step, value), by step."""
        self._metrics.flush()
        return read_metrics(self._store, self.id)

    def reads(self) -> list[Claim]:
        """What it claims to have read, a recorder each."""
        prefix = of_run(CLAIMS, self.id)
        return [Claim(row) for row in scan_all(self._store, prefix, prefix_end(prefix))]

    def scores(self) -> list[Score]:
        """Its scores, oldest first."""
        prefix = of_run(SCORES, self.id)
        return [Score.of_row(row) for row in scan_all(self._store, prefix, prefix_end(prefix))]

    def finish(self, state: str = "finished", *, reason: str = "") -> None:
        """Ends it: metrics are flushed, claims trimmed to what was handed out.

        A run that ended already stays as it is. Raises InvalidInput for an unknown state.
        """
        if state not in STATES[1:]:
            raise InvalidInput(f"a run can't end as {state!r}.", hint=f"Use one of: {', '.join(STATES[1:])}.")
        self._metrics.flush()
        for recorder in self._recorders:
            recorder.close()
        self._store.commit(lambda rows: self._end(rows, state, reason), actor=self._actor)

    def _end(self, rows: Rows, state: str, reason: str) -> None:
        row = rows.get_many([run_key(self.id)])[0]
        if row is None:
            raise NoSuchRun(f"run {self.id} does not exist.", hint="List them: `maru runs`.")
        payload = decode(row)
        if payload["state"] == "running":
            ended = {"state": state, "reason": reason[:4096], "finished_us": rows.time_us}
            rows.put(row.key, encode(payload | ended))

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


PARAMETERS_BYTES_MAX: Final = 256 << 10


def check_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Plain parameters, bounded; raises InvalidInput, Refused."""
    plain = {str(name): value for name, value in parameters.items()}
    if len(encode(plain)) > PARAMETERS_BYTES_MAX:
        raise Refused(
            f"the run's parameters are larger than {PARAMETERS_BYTES_MAX} bytes.",
            hint="Put large things in a bucket and name their key.",
        )
    return plain
