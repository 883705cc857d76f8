"""A model of reclaiming: rows, one segment, acts, holds, commits, expiry, crashes.

Every state that a few steps can reach is visited, so what holds here holds for any
interleaving of so many processes. Counters are kept as what a comparison of them would
say ("changed since"), which makes the states finitely many. ``safeguards`` names what keeps
live bytes from being freed; each can be left out, and then a bad state must be reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import NamedTuple

Extents = frozenset[int]
Hidden = tuple[int, int]
"""An extent and the pool time until which it can be brought back."""
Version = tuple[int, Extents, int]
"""Number, the fragment that it names (by content), and until when it is kept (-1: not dropped)."""

SAFEGUARDS = frozenset(
    {
        "references in the row's own transaction",
        "segments of fragments point back",
        "no drop when a fragment can't be read",
        "the act asks again inside its turn",
        "naming asks inside the turn",
        "holds of living writers",
        "snapshot counter of commits",
        "a commit needs its fragments' rows",
        "expiry decides again inside its turn",
        "pool clock",
        "retention",
        "fragments wait for their versions",
        "fragments go only if no dataset changed",
        "unlink after the layout is on record",
        "readers resolve again",
    }
)

DELAY = 1
LAST = 2
"""The last moment of the pool's clock in this small world."""
EXTENTS = 2
GENERATIONS = 2
VERSIONS = 2


class Act(NamedTuple):
    """An act under way: what it saw alive, and which fragments it asked where they point.

    Phases: looked, written (its new file stands), published (the old one is to be unlinked).
    """

    phase: str
    seen: Extents
    pointers: frozenset[Extents]


class Commit(NamedTuple):
    """A draft: what it will name, whether that fragment was there, whether bytes were left out since."""

    fragment: Extents
    known: bool
    stale: bool


class Collection(NamedTuple):
    """Fragments found loose, the versions that they waited for, whether a dataset changed since."""

    loose: frozenset[Extents]
    leaving: frozenset[Version]
    changed: bool


class State(NamedTuple):
    """The durable state and what every process is in the middle of."""

    time: int = 0
    wall_jumped: bool = False
    current: int | None = None
    hidden: frozenset[Hidden] = frozenset()
    retained_until: int = 0
    references: Extents = frozenset()
    fragments: frozenset[Extents] = frozenset()
    versions: frozenset[Version] = frozenset()
    present: Extents = frozenset()
    closed: bool = False
    generation: int = 0
    files: frozenset[int] = frozenset({0})
    appended: int = 0
    unnamed: Extents = frozenset()
    act: Act | None = None
    copying: int | None = None
    expiring: frozenset[Hidden] | None = None
    commit: Commit | None = None
    collecting: Collection | None = None
    reading: int | None = None
    wrong: str = ""

    @property
    def in_objects(self) -> Extents:
        """Extents that rows of objects name."""
        own = set() if self.current is None else {self.current}
        return frozenset(own | {extent for extent, _ in self.hidden})

    @property
    def alive(self) -> Extents:
        """Everything that may be read again: by objects, hidden versions and datasets."""
        return self.in_objects.union(*(fragment for _, fragment, _ in self.versions))


Step = tuple[str, State]


@dataclass(frozen=True)
class World:
    """Which processes there are, and which safeguards."""

    actors: frozenset[str]
    safeguards: Set[str] = SAFEGUARDS

    def steps(self, now: State) -> Iterator[Step]:
        """All that may happen next."""
        for actor in sorted(self.actors):
            for name, after in getattr(self, f"_{actor}")(now):
                yield name, self._indexed(after)

    def has(self, safeguard: str) -> bool:
        assert safeguard in SAFEGUARDS
        return safeguard in self.safeguards

    def _indexed(self, after: State) -> State:
        if self.has("references in the row's own transaction"):
            return after._replace(references=after.in_objects)
        return after

    # -- objects

    def _writer(self, now: State) -> Iterator[Step]:
        if now.appended < EXTENTS and not now.closed:
            new = {now.appended}
            grown = now._replace(
                appended=now.appended + 1, unnamed=now.unnamed | new, present=now.present | new
            )
            yield "append", grown
        if now.appended and not now.closed:
            yield "close the log", now._replace(closed=True)
        for extent in now.unnamed:
            if extent in now.present or not self.has("naming asks inside the turn"):
                yield "put", self._placed(now, extent)._replace(unnamed=now.unnamed - {extent})

    def _deleter(self, now: State) -> Iterator[Step]:
        if now.current is not None:
            yield "delete", self._placed(now, None)
        for extent, _ in now.hidden:
            yield "undelete", self._placed(now, extent)
        if not self.has("references in the row's own transaction"):
            yield "index references later", now._replace(references=now.in_objects)

    def _copier(self, now: State) -> Iterator[Step]:
        if now.copying is None and now.current is not None:
            yield "copy: look", now._replace(copying=now.current)
        if now.copying is not None:
            done = now._replace(copying=None)
            allowed = now.copying in now.present or not self.has("naming asks inside the turn")
            yield "copy: name", self._placed(done, now.copying) if allowed else done

    @staticmethod
    def _placed(now: State, extent: int | None) -> State:
        old = set() if now.current is None else {(now.current, now.time + DELAY)}
        return now._replace(current=extent, hidden=now.hidden | old)

    # -- time, retention, expiry

    def _time(self, now: State) -> Iterator[Step]:
        if now.time < LAST:
            yield "a day passes", now._replace(time=now.time + 1)

    def _wall_clock(self, now: State) -> Iterator[Step]:
        yield "the wall clock jumps", now._replace(wall_jumped=True)

    def _retainer(self, now: State) -> Iterator[Step]:
        yield "retain", now._replace(retained_until=LAST + 1)

    def _clock(self, now: State) -> int:
        return LAST + 2 if now.wall_jumped and not self.has("pool clock") else now.time

    def _may_go(self, now: State, until: int) -> bool:
        retained = self.has("retention") and now.retained_until > self._clock(now)
        return until <= self._clock(now) and not retained

    @staticmethod
    def _is_due(now: State, until: int) -> bool:
        return max(until, now.retained_until) <= now.time

    def _expirer(self, now: State) -> Iterator[Step]:
        if now.expiring is None:
            over = frozenset(row for row in now.hidden if self._may_go(now, row[1]))
            if over:
                yield "expiry: look", now._replace(expiring=over)
            return
        going = now.expiring & now.hidden
        if self.has("expiry decides again inside its turn"):
            going = frozenset(row for row in going if self._may_go(now, row[1]))
        wrong = "" if all(self._is_due(now, until) for _, until in going) else "freed before its time"
        yield "expiry: remove", now._replace(hidden=now.hidden - going, expiring=None, wrong=wrong)

    # -- acts

    def _actor(self, now: State) -> Iterator[Step]:
        if now.act is None:
            yield from self._look(now)
        elif now.act.phase == "looked":
            files = now.files | {now.generation + 1}
            if not self.has("unlink after the layout is on record"):
                files -= {now.generation}
            yield "act: write and sync", now._replace(files=files, act=now.act._replace(phase="written"))
        elif now.act.phase == "written":
            yield "act: publish", self._published(now, now.act)
        else:
            yield "act: unlink", now._replace(files=now.files & {now.generation}, act=None)

    def _look(self, now: State) -> Iterator[Step]:
        held = bool(now.unnamed) and self.has("holds of living writers")
        if not now.closed or held or now.generation == GENERATIONS:
            return
        pointers = now.fragments if self.has("segments of fragments point back") else frozenset()
        seen = now.references.union(*pointers)
        yield "act: look", now._replace(act=Act("looked", seen, pointers))
        if pointers and not self.has("no drop when a fragment can't be read"):
            act = Act("looked", now.references, pointers)
            yield "act: look, a fragment can't be read", now._replace(act=act)

    def _published(self, now: State, act: Act) -> State:
        pointers = now.fragments if self.has("segments of fragments point back") else frozenset()
        same = now.references <= act.seen and pointers <= act.pointers
        if not same and self.has("the act asks again inside its turn"):
            return now._replace(act=None, files=now.files - {now.generation + 1})
        left_out = bool(now.present - act.seen)
        commit = now.commit._replace(stale=True) if now.commit and left_out else now.commit
        return now._replace(
            present=now.present & act.seen,
            generation=now.generation + 1,
            act=act._replace(phase="published"),
            commit=commit,
        )

    def _reader(self, now: State) -> Iterator[Step]:
        if now.reading is None:
            yield "read: resolve", now._replace(reading=now.generation)
        elif now.reading in now.files:
            yield "read: open", now._replace(reading=None)
        elif self.has("readers resolve again"):
            yield "read: resolve again", now._replace(reading=now.generation)
        else:
            yield "read: open", now._replace(reading=None, wrong="a reader's file is gone")

    # -- datasets

    def _committer(self, now: State) -> Iterator[Step]:
        if now.commit is None:
            if now.current is not None and len(now.versions) < VERSIONS:
                fragment = frozenset({now.current})
                yield "commit: draft", now._replace(commit=Commit(fragment, fragment in now.fragments, False))
            return
        draft = now.commit
        done = now._replace(commit=None)
        stale = draft.stale and self.has("snapshot counter of commits")
        lost = draft.known and draft.fragment not in now.fragments
        if (stale and not draft.known) or (lost and self.has("a commit needs its fragments' rows")):
            yield "commit: again", done
            return
        numbers = {number for number, _, _ in now.versions}
        version = (min({0, 1, 2} - numbers), draft.fragment, -1)
        kept = now.fragments if draft.known else now.fragments | {draft.fragment}
        after = done._replace(fragments=kept, versions=now.versions | {version})
        yield "commit: publish", _dataset_changed(after)

    def _dropper(self, now: State) -> Iterator[Step]:
        for version in now.versions:
            number, fragment, until = version
            others = now.versions - {version}
            if until < 0:
                retained = now.retained_until > now.time
                if not (retained and self.has("retention")):
                    wrong = "dropped although it is retained" if retained else ""
                    dropped = (number, fragment, now.time + DELAY)
                    yield "drop", now._replace(versions=others | {dropped}, wrong=wrong)
            else:
                yield "undrop", now._replace(versions=others | {(number, fragment, -1)})
                if self._may_go(now, until):
                    wrong = "" if self._is_due(now, until) else "freed before its time"
                    yield "expiry: remove version", now._replace(versions=others, wrong=wrong)

    def _collector(self, now: State) -> Iterator[Step]:
        if now.collecting is None:
            leaving = frozenset(v for v in now.versions if v[2] >= 0 and self._may_go(now, v[2]))
            named = frozenset(fragment for _, fragment, _ in now.versions - leaving)
            if now.fragments - named:
                found = Collection(now.fragments - named, leaving, changed=False)
                yield "fragments: look", now._replace(collecting=found)
            return
        found, done = now.collecting, now._replace(collecting=None)
        numbers = {number for number, _, _ in found.leaving}
        there = any(number in numbers for number, _, _ in now.versions)
        waits = there and self.has("fragments wait for their versions")
        changed = found.changed and self.has("fragments go only if no dataset changed")
        kept = now.fragments if waits or changed else now.fragments - found.loose
        yield "fragments: remove", done._replace(fragments=kept)

    # -- death

    def _killer(self, now: State) -> Iterator[Step]:
        """All processes die; what they had in memory, their locks with it, is gone."""
        yield (
            "kill",
            now._replace(
                unnamed=frozenset(), act=None, copying=None, expiring=None, commit=None, collecting=None
            )._replace(reading=None),
        )


def _dataset_changed(after: State) -> State:
    if after.collecting is None:
        return after
    return after._replace(collecting=after.collecting._replace(changed=True))


def broken(now: State) -> str:
    """What must never be, in words; empty while all is well."""
    if not now.alive <= now.present:
        return "a live extent is not in its segment's layout"
    if not now.unnamed <= now.present:
        return "bytes that a living writer appended were left out before it could name them"
    if now.generation not in now.files:
        return "the layout on record names a file that is gone"
    if any(fragment not in now.fragments for _, fragment, _ in now.versions):
        return "a version names a fragment that has no row"
    return now.wrong


@dataclass(frozen=True)
class Verdict:
    """What a search found: how many states, and the shortest way to a bad one."""

    states: int
    problem: str = ""
    trace: tuple[str, ...] = ()


def explore(world: World, limit: int = 400_000) -> Verdict:
    """Visits every state that can be reached, breadth first, until one is bad."""
    start = State()
    came: dict[State, tuple[State, str] | None] = {start: None}
    wave = [start]
    while wave:
        coming = []
        for now in wave:
            for name, after in world.steps(now):
                if after in came:
                    continue
                came[after] = (now, name)
                if problem := broken(after):
                    return Verdict(len(came), problem, _trace(came, after))
                coming.append(after)
        assert len(came) < limit, "the world is too large to be visited whole"
        wave = coming
    return Verdict(len(came))


def _trace(came: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    steps = []
    while (step := came[state]) is not None:
        state, name = step
        steps.append(name)
    return tuple(reversed(steps))
