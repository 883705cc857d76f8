"""The ledger: keeps what runs are, what they read, and what they reach.

Runs, recorders and logs of metrics write to a ledger and to nothing else, so they are the same
where the hub is elsewhere: there the ledger asks over the network. Here it is rows ``R`` of the
store (``row`` has them).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from maruhub.errors import NoSuchRun, Refused
from maruhub.lab.claim import Claim
from maruhub.lab.info import REASON_CHARS_MAX, RunInfo
from maruhub.lab.row import (
    CLAIMS,
    METRICS,
    RUNS,
    SCORES,
    claim_key,
    decode,
    encode,
    metrics_key,
    of_run,
    run_key,
)
from maruhub.lab.score import Score
from maruhub.store.format.row import Row
from maruhub.store.protocol import Rows, Store, get, prefix_end, scan_all

CLAIMED_MAX: Final = 1_000_000
"""Intervals of all claims of a run together, at least one a claim: an evaluation holds them all."""

Told = Mapping[str, Any]
Point = tuple[int, Mapping[str, float | str]]
"""A step and its metrics; a number that JSON has no word for is its name."""


class Ledger(Protocol):
    """Where runs are kept. What a method has written is durable when it returns.

    Safe from many threads, and in a forked child. Each method may be called again with the same
    arguments: it writes the same.
    """

    @property
    def actor(self) -> str:
        """Who acts."""

    def start(self, info: RunInfo) -> RunInfo:
        """Writes a new run; Refused if there is another of its id.

        Returns:
            The run as it is kept: the one that is there already if actor, name and view are the same.
        """

    def info(self, run: str) -> RunInfo | None:
        """The run of exactly this id."""

    def infos(self, beginning: str = "") -> Iterator[RunInfo]:
        """All runs whose ids begin so, oldest first."""

    def end(self, run: str, state: str, reason: str) -> None:
        """Ends a run that has not ended; raises NoSuchRun."""

    def claim(self, run: str, recorder: str, claim: Claim) -> None:
        """Puts a recorder's claim in the place of its last one, unless that has a higher number.

        Once the run has ended, a claim only adds to what was claimed.

        Raises:
            NoSuchRun: There is none.
            Refused: The recorder's last claim is of another view, or the run's claims become too many.
        """

    def claims(self, run: str) -> Sequence[Claim]:
        """A run's claims, a recorder each."""

    def add_points(self, run: str, writer: str, number: int, points: Sequence[Point]) -> None:
        """The ``number``-th chunk of one writer's metrics."""

    def points(self, run: str) -> Iterator[Point]:
        """A run's metrics, a writer after the other."""

    def scores(self, run: str = "") -> Iterator[Score]:
        """A run's scores, oldest first; without a run those of all."""


class StoreLedger:
    """The ledger of a hub that is here.

    Args:
        store: Keeps the rows.
        actor: Who acts.
    """

    def __init__(self, store: Store, *, actor: str = "") -> None:
        self.actor = actor
        self._store = store

    def start(self, info: RunInfo) -> RunInfo:
        """See :class:`Ledger`."""
        key, payload = run_key(info.id), info.encode()

        def change(rows: Rows) -> RunInfo:
            row = rows.get_many([key])[0]
            if row is None:
                rows.put(key, payload)
                return info
            known = RunInfo.of_row(row)
            if (known.actor, known.name, known.view) != (info.actor, info.name, info.view):
                raise Refused(f"there is a run {info.id} already.", hint="Start one with another id.")
            return known

        return self._store.commit(change, actor=self.actor)

    def info(self, run: str) -> RunInfo | None:
        """See :class:`Ledger`."""
        row = get(self._store, run_key(run)) if len(run) <= 255 else None
        return None if row is None else RunInfo.of_row(row)

    def infos(self, beginning: str = "") -> Iterator[RunInfo]:
        """See :class:`Ledger`; a page of rows at a time."""
        return (RunInfo.of_row(row) for row in self._below(RUNS + beginning.encode()))

    def end(self, run: str, state: str, reason: str) -> None:
        """See :class:`Ledger`."""

        def change(rows: Rows) -> None:
            payload = decode(_known(rows, run))
            if payload["state"] == "running":
                ended = {"state": state, "reason": reason[:REASON_CHARS_MAX], "finished_us": rows.time_us}
                rows.put(run_key(run), encode(payload | ended))

        self._store.commit(change, actor=self.actor)

    def claim(self, run: str, recorder: str, claim: Claim) -> None:
        """See :class:`Ledger`."""
        given = claim.payload()

        def change(rows: Rows) -> None:
            told = decode(_known(rows, run))
            row = rows.get_many([claim_key(run, recorder)])[0]
            earlier = None if row is None else decode(row)
            kept = _following(earlier, claim, ended=told["state"] != "running")
            if kept is None:
                return
            payload = given if kept is claim else kept.payload()
            claimed = told.get("claimed", 0) + _weight(payload) - _weight(earlier)
            if claimed > CLAIMED_MAX:
                raise Refused(
                    f"the claims of run {run} hold more than {CLAIMED_MAX:,} epochs together.",
                    hint="Go on in another run, with this one among its parents.",
                )
            if claimed != told.get("claimed", 0):
                rows.put(run_key(run), encode(told | {"claimed": claimed}))
            rows.put(claim_key(run, recorder), encode(payload))

        self._store.commit(change, actor=self.actor)

    def claims(self, run: str) -> Sequence[Claim]:
        """See :class:`Ledger`."""
        return [Claim.of_payload(decode(row)) for row in self._below(of_run(CLAIMS, run))]

    def add_points(self, run: str, writer: str, number: int, points: Sequence[Point]) -> None:
        """See :class:`Ledger`."""
        key, payload = metrics_key(run, writer, number), encode({"points": [list(point) for point in points]})
        self._store.commit(lambda rows: rows.put(key, payload), actor=self.actor)

    def points(self, run: str) -> Iterator[Point]:
        """See :class:`Ledger`."""
        for row in self._below(of_run(METRICS, run)):
            yield from decode(row)["points"]

    def scores(self, run: str = "") -> Iterator[Score]:
        """See :class:`Ledger`."""
        return (Score.of_row(row) for row in self._below(of_run(SCORES, run) if run else SCORES))

    def _below(self, prefix: bytes) -> Iterable[Row]:
        return scan_all(self._store, prefix, prefix_end(prefix))


def _following(earlier: Told | None, claim: Claim, *, ended: bool) -> Claim | None:
    """What is kept once ``claim`` has come after ``earlier``; None: what is there."""
    if earlier is None:
        return replace(claim, exact=False) if ended else claim
    if claim.number <= earlier.get("number", 0):
        return None
    if claim.view != earlier["view"]:
        raise Refused(
            f"this recorder is of view {earlier['view']}.", hint="Make a recorder for each view that is read."
        )
    if not ended:
        return claim
    known = Claim.of_payload(earlier)
    joined = claim.joined(known)
    return None if joined.reads.spans() == known.reads.spans() else joined


def _weight(claim: Told | None) -> int:
    """How many intervals a claim's payload stands for, none without one."""
    if claim is None:
        return 0
    intervals: int = sum(last - first + 1 for _, first, last, _, _ in claim["reads"])
    return max(1, intervals)


def _known(rows: Rows, run: str) -> Row:
    """A run's row; raises NoSuchRun."""
    row = rows.get_many([run_key(run)])[0]
    if row is None:
        raise no_such_run(run)
    return row


def no_such_run(run: str) -> NoSuchRun:
    """The error about a run that is not there."""
    return NoSuchRun(f"there is no run {run!r}.", hint="List them: `maru runs`.")
