"""The lab of a hub: runs, and scores that may be called held-out or not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from maruhub.errors import InvalidInput, NotHeldOut
from maruhub.lab.evaluation import Finding, investigate
from maruhub.lab.ledger import StoreLedger
from maruhub.lab.row import encode, encode_number, number_of, score_key
from maruhub.lab.run import Run
from maruhub.lab.runs import Runs
from maruhub.lab.score import Score
from maruhub.lab.source import LabView, Order, Views
from maruhub.store.protocol import Rows, Store


class Home(Protocol):
    """What the lab needs of a namespace: the store, and who acts."""

    @property
    def store(self) -> Store:
        """Keeps the lab's rows."""

    @property
    def actor(self) -> str:
        """Who acts."""


class Lab:
    """Runs and scores. Safe from many threads.

    Args:
        catalog: Opens views by digest.
        ns: The hub's namespace: its store keeps the rows, its actor is who trains.
        order: At which positions rows come in an epoch (``loaders.order.positions_of``);
            without it an epoch that was begun counts as read whole.
    """

    def __init__(self, catalog: Views, ns: Home, *, order: Order | None = None) -> None:
        self._views = catalog
        self._store = ns.store
        self._actor = ns.actor
        self._order = order
        self.ledger = StoreLedger(self._store, actor=self._actor)
        self.runs = Runs(self.ledger)

    def evaluate(
        self,
        run: Run | str,
        view: LabView,
        metrics: Mapping[str, Any],
        *,
        allow_leak: bool = False,
        name_read: bool = True,
    ) -> Score:
        """Records what ``run`` reached on ``view``, and whether that is held-out.

        What the run and its ancestry have read is compared with ``view`` by root id and by
        SHA-256, over all datasets. Cost: one pass over the hashes of what was read; no
        blob is read. A leak that is refused is told with up to three of its samples; without
        ``name_read`` by their names in ``view`` alone, not by those under which they were read.
        What is recorded names none: whoever may see a run need not be one who may read what it
        was evaluated on.

        Returns:
            The score as recorded. Its verdict is "unverified" where nobody can tell what
            was read: the run or an ancestor read without a recorder.

        Raises:
            NotHeldOut: the run has read samples of ``view``; nothing is recorded. With
                ``allow_leak`` the score is recorded, marked "leaked", instead.
            InvalidInput: no samples; no metrics, or one that is no finite number.
        """
        run = self.runs.get(run) if isinstance(run, str) else run
        if not metrics:
            raise InvalidInput("a score needs at least one metric.", hint="Give {'accuracy': 0.97}.")
        figures = {str(name): _figure(name, value) for name, value in metrics.items()}
        address = f"{view.dataset_name}@{view.version_name}"
        if not len(view):
            raise InvalidInput(
                f"there are no samples to evaluate on in this view of {address}.",
                hint="Check the split and the filter.",
            )
        finding = investigate(run, view, runs=self.runs, views=self._views, order=self._order)
        asked = f"{address} {view.is_split}" if view.is_split else address
        if finding.verdict == "leaked" and not allow_leak:
            examples = finding.examples(name_read=name_read)
            why = finding.why(run.id, asked, len(view), examples=examples)
            raise NotHeldOut(
                f"not held out: {' '.join(why)}",
                hint=finding.hint(group="--group", allow="--allow-leak"),
                python_hint=finding.hint(group="group=…", allow="allow_leak=True"),
            )
        view.save()
        why = finding.why(run.id, asked, len(view))
        return self._record(run.id, view, finding, figures, address=address, why=why)

    def _record(
        self,
        run: str,
        view: LabView,
        finding: Finding,
        figures: dict[str, float],
        *,
        address: str,
        why: list[str],
    ) -> Score:
        body: dict[str, Any] = {
            "view": view.digest,
            "address": address,
            "split": view.is_split,
            "samples": len(view),
            "verdict": finding.verdict,
            "leaked": finding.overlap.samples,
        }
        numbers = {name: encode_number(value) for name, value in figures.items()}
        payload = encode(body | {"metrics": numbers, "why": why})

        def change(rows: Rows) -> int:
            rows.put(score_key(run, rows.counter), payload)
            return rows.time_us

        time_us = self._store.commit(change, actor=self._actor)
        return Score(run=run, metrics=figures, why=tuple(why), actor=self._actor, time_us=time_us, **body)


def _figure(name: str, value: Any) -> float:
    """A metric of a score: nobody reaches NaN, nor infinity."""
    figure = number_of(name, value)
    if not math.isfinite(figure):
        raise InvalidInput(f"metric {name!r} is {figure}.", hint="Give a finite number.")
    return figure
