"""The runs of a hub: start, find, compare."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.lab.code import source_commit
from maruhub.lab.info import RunInfo, check_name, check_parameters
from maruhub.lab.ledger import Ledger, no_such_run
from maruhub.lab.recorder import RunRecorder
from maruhub.lab.run import Run
from maruhub.lab.score import Score
from maruhub.lab.source import RunView


class Runs:
    """Starts and finds runs. Safe from many threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def start(
        self,
        view: RunView,
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
        check_name(argument.text("name", name))
        argument.text("code", code)
        parameters = check_parameters(
            argument.mapping("parameters", {} if parameters is None else parameters)
        )
        seed = argument.whole("seed", seed)
        if isinstance(parents, str) or not isinstance(parents, Sequence):
            raise argument.wrong("parents", parents, "a list of runs or their ids")
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
            parameters=parameters,
            seed=seed,
            started_us=time.time_ns() // 1000,
            parents=[parent.id if isinstance(parent, Run) else str(parent) for parent in parents],
            actor=self._ledger.actor,
        )
        self._ledger.start(info)
        return self._open(info.id)

    def get(self, id: str) -> Run:
        """A run by its id, or by the beginning of it if only one begins so."""
        readable = id.isascii() and 4 <= len(id) <= 255
        found = [info.id for info in islice(self._ledger.infos(id), 2)] if readable else []
        if len(found) == 1 or (found and found[0] == id):
            return self._open(found[0])
        if found:
            raise InvalidInput(f"several runs begin with {id}.", hint="Give more of the id.")
        raise no_such_run(id)

    def recorder(self, run: Run | str, view: RunView) -> RunRecorder:
        """A recorder over ``view`` of a run, or of the run with this id; raises InvalidInput, NoSuchRun."""
        found = self.get(run) if isinstance(run, str) else run
        if not isinstance(found, Run):
            raise argument.wrong("run", run, "a run", hint="Start one, or give the id of one.")
        return found.recorder(view)

    def find(self, id: str) -> Run | None:
        """The run of exactly this id, if there is one."""
        return None if self._ledger.info(id) is None else self._open(id)

    def all(self) -> Sequence[Run]:
        """All runs, newest first."""
        return [self._open(info.id) for info in self.infos()][::-1]

    def infos(self) -> Iterator[RunInfo]:
        """What is recorded of each run, oldest first; a page at a time."""
        return self._ledger.infos()

    def scores(self) -> Iterator[Score]:
        """Every score of every run."""
        return self._ledger.scores()

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
        return Run(self._ledger, id)
