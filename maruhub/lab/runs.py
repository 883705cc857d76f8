"""The runs of a hub: start, find, compare."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from maruhub.errors import InvalidInput, NoSuchRun
from maruhub.lab.code import source_commit
from maruhub.lab.row import RUNS, SCORES, run_key
from maruhub.lab.run import Run, RunInfo, check_parameters
from maruhub.lab.score import Score
from maruhub.lab.source import LabView
from maruhub.store.protocol import Store, prefix_end, scan_all


class Runs:
    """Starts and finds runs. Safe from many threads."""

    def __init__(self, store: Store, *, actor: str = "") -> None:
        self._store = store
        self._actor = actor

    def start(
        self,
        view: LabView,
        *,
        name: str,
        code: str = "",
        parameters: Mapping[str, Any] | None = None,
        seed: int = 0,
        parents: Sequence[str | Run] = (),
    ) -> Run:
        """A new run over ``view``, which is saved.

        Args:
            view: What it trains on.
            name: For people; need not be unique.
            code: What runs: a commit, a file. Empty: the git commit of this folder.
            parameters: Of the training; anything JSON can hold.
            seed: Of the training.
            parents: What the model begins with: runs, or any other name. What they have
                read counts as read by this one; of other names nobody can tell.
        """
        if not name or len(name.encode()) > 255 or not name.isprintable():
            raise InvalidInput(f"run name {name!r} must be 1–255 printable bytes.", hint="Choose another.")
        view.save()
        info = RunInfo(
            id=f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(4)}",
            name=name,
            view=view.digest,
            dataset=view.dataset_name,
            version=view.version_name,
            split=view.is_split,
            samples=len(view),
            code=code or source_commit(Path.cwd()),
            parameters=check_parameters(parameters or {}),
            seed=seed,
            started_us=time.time_ns() // 1000,
            parents=[parent.id if isinstance(parent, Run) else str(parent) for parent in parents],
            actor=self._actor,
        )
        payload = info.encode()
        self._store.commit(lambda rows: rows.put(run_key(info.id), payload), actor=self._actor)
        return self._open(info.id)

    def get(self, id: str) -> Run:
        """A run by its id, or by the beginning of it if only one begins so."""
        found = self._matching(id) if id.isascii() and len(id) >= 4 else []
        if len(found) == 1 or (found and found[0] == id):
            return self._open(found[0])
        if found:
            raise InvalidInput(f"several runs begin with {id}.", hint="Give more of the id.")
        raise NoSuchRun(f"there is no run {id!r}.", hint="List them: `maru runs`.")

    def find(self, id: str) -> Run | None:
        """The run of exactly this id, if there is one."""
        known = self._store.get_many([run_key(id)])[0] if len(id) <= 255 else None
        return None if known is None else self._open(id)

    def all(self) -> Sequence[Run]:
        """All runs, newest first."""
        return [self._open(info.id) for info in self.infos()][::-1]

    def infos(self) -> Iterator[RunInfo]:
        """What is recorded of each run, oldest first; a page of rows at a time."""
        for row in scan_all(self._store, RUNS, prefix_end(RUNS)):
            yield RunInfo.of_row(row)

    def scores(self) -> Iterator[Score]:
        """Every score of every run."""
        for row in scan_all(self._store, SCORES, prefix_end(SCORES)):
            yield Score.of_row(row)

    def leaderboard(
        self, metric: str, *, view: str | None = None, highest: bool = True, held_out: bool = True
    ) -> Sequence[Score]:
        """Each run's best score by ``metric``, best first.

        Args:
            metric: Scores without it are left out.
            view: Only scores on the view of this digest. Others compare only roughly.
            highest: Whether more is better.
            held_out: Leaves out what may not be called held-out.
        """
        best: dict[str, Score] = {}
        sign = 1 if highest else -1
        for score in self.scores():
            if metric not in score.metrics or (view is not None and score.view != view):
                continue
            if held_out and not score.held_out:
                continue
            known = best.get(score.run)
            if known is None or sign * score.metrics[metric] > sign * known.metrics[metric]:
                best[score.run] = score
        return sorted(best.values(), key=lambda score: (-sign * score.metrics[metric], score.run))

    def list(self) -> Sequence[Run]:
        """The same as :meth:`all`."""
        return self.all()

    def _open(self, id: str) -> Run:
        return Run(self._store, id, actor=self._actor)

    def _matching(self, prefix: str) -> Sequence[str]:
        start = run_key(prefix)
        return [row.key[2:].decode() for row in self._store.scan(start, prefix_end(start), 2)]
