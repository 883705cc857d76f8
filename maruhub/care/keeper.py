"""The keeper: does what a pool needs, act by act, until nothing is left to do.

Nothing is remembered between acts but what the pool itself says, so a keeper that is killed
is replaced by the next one, and two at once only find less to do.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from maruhub.care.live import Resolve, find_live
from maruhub.care.plan import Found, Kind, Room, Task, balance, is_narrow, is_sparse, plan, records_bytes
from maruhub.errors import MaruError
from maruhub.store.admission import Admission, Work
from maruhub.store.format.layout import Layout
from maruhub.store.parity import MAX_DATA, PARITY
from maruhub.store.seal.act import ActReport, Acts, Outcome
from maruhub.store.seal.source import files_of
from maruhub.store.seal.strip_writer import never_wait
from maruhub.store.store import PoolStore

SMALL_LOG_BYTES: Final = 256 << 10
"""A log with less in it stays open: three copies of it are less than strips and their headers."""

_ANY_LOG_BYTES: Final = 1 << 62
"""No log holds so much: only those are closed that lie badly."""

RECORDS_BYTES_MAX: Final = 1 << 30
"""A checkpoint is written when records take more: they grow with every change, rows don't."""

_TRIES_MAX: Final = 2
_MOVES_MAX: Final = MAX_DATA + PARITY
"""Balancing moves a segment's strips one by one."""

_BUSY_SECONDS: Final = 60.0
"""So long another's act on a segment is waited for; who dies lets go of it at once."""

_DONE: Final = frozenset({Outcome.DONE, Outcome.REMOVED})
ALL: Final = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a round of work is. ``left_s``: seconds to its end at this speed, None at first."""

    kind: Kind
    done_bytes: int
    total_bytes: int
    left_s: float | None


@dataclass
class KeeperReport:
    """What was done: acts by kind, bytes, seconds; ``problems`` are sentences for a person.

    ``expired``: what rules of buckets had expired, by kind.
    """

    acts: Counter[str] = field(default_factory=Counter)
    read_bytes: int = 0
    written_bytes: int = 0
    freed_bytes: int = 0
    strays: int = 0
    seconds: float = 0.0
    waiting: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    expired: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``--json``."""
        counts = {name: dict(vars(self)[name]) for name in ("acts", "waiting", "expired")}
        return {**vars(self), **counts}


class Keeper:
    """Keeps one pool.

    Args:
        store: Its store.
        resolve: What the bytes of rows that name segments as a whole point to.
        admission: Says when others are at work; None: nobody is.
        progress: Hears of every act.
    """

    def __init__(
        self,
        store: PoolStore,
        resolve: Resolve,
        *,
        admission: Admission | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._store = store
        self._resolve = resolve
        self._admission = admission
        self._progress = progress or (lambda _: None)

    def run(self, kinds: Collection[Kind] = ALL, *, close_logs: bool = True) -> KeeperReport:
        """Works until nothing of these kinds is left that could be done now.

        ``close_logs``: logs that nobody writes are closed first, so that they are sealed too. Those
        that lie on a lost or draining blade are closed in any case where that is to be mended.
        """
        report = KeeperReport()
        start = time.monotonic()
        self._look()
        if close_logs:
            self._store.close_logs(SMALL_LOG_BYTES)
        elif {Kind.REPAIR, Kind.DRAIN} & set(kinds):
            self._store.close_logs(_ANY_LOG_BYTES)
        covered = self._store.checkpoint().began_after if self._wants_checkpoint(kinds) else 0
        self._work(kinds, covered, report)
        self._sweep(report)
        self._count_foreign_logs(report)
        report.seconds = time.monotonic() - start
        return report

    def _look(self) -> None:
        """At the blades; on a busy machine they may seem to stall for a moment, and that is no plan's base."""
        self._store.blades.look()
        self._store.blades.await_late()

    def _work(self, kinds: Collection[Kind], covered: int, report: KeeperReport) -> None:
        tried: Counter[tuple[Kind, int]] = Counter()
        became: dict[int, Outcome | None] = {}
        while True:
            wanted = [task for task in self.tasks(covered=bool(covered)) if task.kind in kinds]
            tasks = [task for task in wanted if tried[_key(task)] < _tries(task)]
            if not tasks:
                break
            for task in self._shown(tasks):
                became[task.segment] = self._do(task, covered, report)
                tried[_key(task)] += 1
            busy = [task for task in tasks if became[task.segment] is Outcome.BUSY]
            for task in self._freed(busy):
                del tried[_key(task)]
            self._look()
        left = [became.get(task.segment) for task in wanted]
        report.waiting.update(outcome.value for outcome in left if outcome and outcome not in _DONE)
        self._count_narrow(report)

    def _freed(self, busy: Sequence[Task]) -> Iterator[Task]:
        """Waits for the acts of others, this process's own sealing too; those whose segment is free by then."""
        with self._store.acting() as acts:
            yield from (task for task in busy if acts.await_free(task.segment, _BUSY_SECONDS))

    def _count_narrow(self, report: KeeperReport) -> None:
        """Segments that lie on fewer blades than they could, were none of those late."""
        blades = self._store.blades
        if any(blades.is_stalling(blade.blade_id) for blade in blades):
            usable = len(set(blades.answering) - blades.draining)
            narrow = sum(layout.closed and is_narrow(layout, usable) for layout in self._store.layouts())
            report.waiting.update({"a blade does not answer in time": narrow} if narrow else {})

    def _count_foreign_logs(self, report: KeeperReport) -> None:
        """Open logs that lack a blade and that another process holds: it mends them at its next write."""
        usable = set(self._store.blades.answering) - self._store.blades.draining
        lacking = [
            layout
            for layout in self._store.layouts()
            if not layout.closed and not usable.issuperset(layout.blades)
        ]
        if lacking:
            report.waiting["a process that is open writes to it, and mends it with its next change"] += len(
                lacking
            )

    def _wants_checkpoint(self, kinds: Collection[Kind]) -> bool:
        """Whether records take more than a checkpoint would, or leaving them out was asked for alone."""
        if Kind.COMPACT not in kinds:
            return False
        if set(kinds) == {Kind.COMPACT}:
            return True
        if records_bytes(self._store.layouts()) <= RECORDS_BYTES_MAX:
            return False
        found, _, _ = self._survey()
        going = [item.layout for item in found if is_sparse(item, records=True)]
        return records_bytes(going) > RECORDS_BYTES_MAX

    def tasks(self, *, covered: bool = False) -> list[Task]:
        """What is to be done now, most urgent first; ``covered`` as for ``plan``."""
        found, usable, draining = self._survey()
        tasks = plan(found, usable, draining, covered=covered)
        return tasks or balance([item.layout for item in found], usable)

    def _survey(self) -> tuple[list[Found], dict[bytes, Room], frozenset[bytes]]:
        blades = self._store.blades
        layouts = [layout for layout in self._store.layouts() if layout.closed]
        live = find_live(self._store, self._resolve)
        used: Counter[bytes] = Counter()
        for layout in layouts:
            lengths = layout.strips.lengths if layout.strips else [layout.end] * len(layout.blades)
            for blade_id, length in zip(layout.blades, lengths, strict=True):
                used[blade_id] += length
        rooms, taking = {}, blades.rooms(essential=True)
        for blade in blades:
            try:
                held = used[blade.blade_id]
                rooms[blade.blade_id] = Room(held + blade.free_bytes(), held, blade.blade_id in taking)
            except OSError:
                continue
        draining = frozenset(blades.draining) & rooms.keys()
        names = self._names()
        # What an act has moved since the layouts were read is not damaged.
        now = {layout.segment: layout for layout in self._store.layouts()}
        found = [
            Found(la, live.bytes_in(la.segment), self._damage(la, names))
            for la in layouts
            if now.get(la.segment) == la
        ]
        return found, {blade: room for blade, room in rooms.items() if blade not in draining}, draining

    def _shown(self, tasks: Sequence[Task]) -> Iterator[Task]:
        """Tasks one by one; whoever watches hears how far it is."""
        total = sum(task.size_bytes for task in tasks)
        done = 0
        start = time.monotonic()
        for task in tasks:
            spent = time.monotonic() - start
            self._progress(Progress(task.kind, done, total, spent * (total - done) / done if done else None))
            yield task
            done += task.size_bytes
        self._progress(Progress(tasks[-1].kind, total, total, 0.0))

    def _do(self, task: Task, covered: int, report: KeeperReport) -> Outcome | None:
        """What became of it; None: it could not be done, which the report says."""
        try:
            with self._store.acting() as acts:
                made = self._act(acts, task, covered)
        except MaruError as error:
            name = f"segment {task.segment:016x}"
            what = task.kind.name.lower() + ("" if name in error.what else f" {name}")
            said = f"{what}: {error}"
            if said not in report.problems:
                report.problems.append(said)
            return None
        _count(report, task.kind, made)
        return made.outcome

    def _act(self, acts: Acts, task: Task, covered: int) -> ActReport:
        draining = self._store.blades.draining
        breathe = self._admission.begin(Work.BACKGROUND) if self._admission else never_wait
        try:
            if task.moves:
                return acts.rebuild(task.segment, dict(task.moves), avoid=draining, breathe=breathe)
            return acts.recut(task.segment, covered=covered, avoid=draining, breathe=breathe)
        finally:
            breathe()

    def _damage(self, layout: Layout, names: Mapping[bytes, Collection[str]]) -> frozenset[int]:
        """Files that are not there although their blade answers."""
        files = enumerate(files_of(layout))
        return frozenset(n for n, (blade, name) in files if blade in names and name not in names[blade])

    def _names(self) -> dict[bytes, Collection[str]]:
        names: dict[bytes, Collection[str]] = {}
        for blade in self._store.blades:
            with suppress(OSError):
                names[blade.blade_id] = set(blade.names())
        return names

    def _sweep(self, report: KeeperReport) -> None:
        """Removes files that no layout names, left by acts that were killed."""
        try:
            with self._store.acting() as acts:
                swept = acts.sweep()
        except MaruError as error:
            report.problems.append(f"sweeping: {error.what}")
            return
        report.strays += swept.files
        report.freed_bytes += swept.freed_bytes


def _key(task: Task) -> tuple[Kind, int]:
    return task.kind, task.segment


def _tries(task: Task) -> int:
    return _MOVES_MAX if task.kind is Kind.BALANCE else _TRIES_MAX


def _count(report: KeeperReport, kind: Kind, made: ActReport) -> None:
    report.read_bytes += made.read_bytes
    report.written_bytes += made.written_bytes
    report.freed_bytes += made.freed_bytes
    report.acts.update([kind.name.lower()] if made.outcome in _DONE else [])
