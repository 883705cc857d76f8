"""The blades of a pool as this process sees them: which answer, and which to write on."""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from maruhub.errors import MaruError
from maruhub.index.protocol import Index
from maruhub.store.blade import OUT_OF_DESCRIPTORS, Blade, BladeFile
from maruhub.store.copies import Copy, blade_error
from maruhub.store.format.blade_row import BladeState, decode_blade_state
from maruhub.store.format.keys import BLADE_PREFIX, blade_of
from maruhub.store.format.row import Row
from maruhub.store.lookout import LOOK_SECONDS, Answering, BladeSource, Lookout, Sight
from maruhub.store.protocol import prefix_end
from maruhub.store.rooms import Rooms

COPIES = 3
"""Full copies of an open log; fewer only where there are fewer blades."""

_BLADES_MAX: Final = 4096


class Blades:
    """All blades of the pool by id, seen anew now and then. Safe from any thread.

    Args:
        present: Those that answer.
        missing: Ids of those that don't, or why each doesn't by id.
        source: Where blades are looked for again; None: what was handed in stays so.
        segment_bytes: The pool's; so much room at least is kept in reserve on a large drive.
        removed: Ids of those that the pool had once; the index's rows may name more.
    """

    def __init__(
        self,
        present: Iterable[Blade],
        missing: Mapping[bytes, str] | Sequence[bytes] = (),
        *,
        source: BladeSource | None = None,
        segment_bytes: int = 0,
        removed: Collection[bytes] = (),
    ) -> None:
        problems = missing if isinstance(missing, Mapping) else dict.fromkeys(missing, "")
        self._lookout = Lookout(Sight({blade.blade_id: blade for blade in present}, problems), source)
        self._rooms = Rooms(segment_bytes)
        self._gone = frozenset(removed)
        self._index: Index | None = None
        self._states: Mapping[bytes, BladeState] = {}
        self._assumed: Mapping[bytes, BladeState] = {}
        self._states_due = 0.0

    # ------------------------------------------------------------ which there are

    def __iter__(self) -> Iterator[Blade]:
        return iter(self._lookout.sight.present.values())

    def __len__(self) -> int:
        """How many the pool has, missing ones included."""
        return sum(map(len, self._lookout.sight))

    @property
    def answering(self) -> Collection[bytes]:
        """Ids of the blades whose folder answers: a window on what is seen at each moment."""
        return Answering(self._lookout)

    @property
    def missing(self) -> tuple[bytes, ...]:
        """Ids of the blades whose folder doesn't answer."""
        return tuple(self._lookout.sight.missing)

    @property
    def problems(self) -> Mapping[bytes, str]:
        """Why each missing blade doesn't answer, by id."""
        return self._lookout.sight.missing

    @property
    def changes(self) -> int:
        """How often blades came or went since the start: who keeps what follows from it, looks here."""
        return self._lookout.changes

    def get(self, blade_id: bytes) -> Blade | None:
        """The blade, or None if it is missing."""
        return self._lookout.seek(blade_id)

    def look(self) -> None:
        """Looks at all blades and their states now."""
        self._lookout.look()
        self._read_states()

    # ------------------------------------------------------------ what they are used for

    def heed(self, index: Index) -> None:
        """Reads the blades' states from this index, now and whenever they matter."""
        self._index = index
        self._read_states()

    @contextmanager
    def assuming(self, blade_id: bytes, state: BladeState) -> Iterator[None]:
        """Acts on a state while it is being set: so the turn that sets it begins no log there."""
        self._assumed = {**self._assumed, blade_id: state}
        try:
            self._read_states()
            yield
        finally:
            self._assumed = {other: kept for other, kept in self._assumed.items() if other != blade_id}
            self._read_states()

    def state(self, blade_id: bytes) -> BladeState:
        """What the blade is used for, as last read."""
        return self._states.get(blade_id, BladeState.IN_SERVICE)

    @property
    def draining(self) -> frozenset[bytes]:
        """Ids of the blades that are being emptied, whether they answer or not."""
        self._glance()
        return frozenset(i for i, state in self._states.items() if state is BladeState.DRAINING)

    @property
    def removed(self) -> frozenset[bytes]:
        """Ids of the blades that the pool had once: nothing is put there, nobody waits for their return."""
        self._glance()
        gone = self._gone.difference(*self._lookout.sight)
        return gone.union(i for i, state in self._states.items() if state is BladeState.REMOVED)

    def _glance(self) -> None:
        """Before a choice: the index may be read although drives stall."""
        self._lookout.glance()
        if time.monotonic() >= self._states_due:
            self._read_states()

    def _read_states(self) -> None:
        if self._index is None:
            return
        self._states_due = time.monotonic() + LOOK_SECONDS
        try:
            rows = self._index.scan(BLADE_PREFIX, prefix_end(BLADE_PREFIX), _BLADES_MAX)
            states = {blade_of(key): decode_blade_state(Row(key, raw).payload) for key, raw in rows}
            states |= self._assumed
            self._states = {i: state for i, state in states.items() if state is not BladeState.IN_SERVICE}
        except MaruError:
            # Closed, or made anew just now. What was known is the best there is.
            return

    def await_late(self) -> bool:
        """Waits for blades that owe an answer, some seconds at most; whether any came. See ``Lookout``."""
        return self._lookout.await_late()

    def is_stalling(self, blade_id: bytes) -> bool:
        """Whether the blade owes an answer for longer than one should take: whoever asks it would wait."""
        return self._lookout.is_stalling(blade_id)

    def refusal(self, blade_id: bytes) -> str:
        """Why nothing new is put on a blade that answers, were it in service; empty if it is."""
        blade = self._lookout.sight.present.get(blade_id)
        error = self._rooms.refusal(blade) if blade is not None else None
        return "" if error is None else error.strerror or str(error)

    # ------------------------------------------------------------ where to write

    @property
    def wanted_copies(self) -> int:
        """Full copies that a log should have now."""
        return self.wanted()

    def wanted(self, *, essential: bool = False) -> int:
        """Full copies that a log should have now; of what is ``essential`` in blades' reserves too."""
        self._glance()
        return max(1, min(COPIES, len(self._writable([], COPIES, essential=essential))))

    def rooms(self, *, essential: bool = False, avoid: Collection[bytes] = ()) -> dict[bytes, int]:
        """Bytes that may be written on each blade that takes new data, by id.

        Args:
            essential: For repair, compaction and records of deletes: the reserve counts too.
            avoid: Blades to leave out.
        """
        self._glance()
        rooms = {}
        for blade in self._writable([], essential=essential):
            if blade.blade_id not in avoid:
                rooms[blade.blade_id] = self._rooms.spare(blade, essential=essential)
        return rooms

    def have_room(self, copies: Iterable[Copy], *, essential: bool = False) -> bool:
        """Whether writing may go on in these files: none on a drained blade, nor in its reserve.

        Asked before each append; cheap where there is plenty. False: begin files on other blades.

        Raises:
            NoSpace: There is no room on any blade, so that files had better stay open.
            ReadOnly: Nor on any may be written.
        """
        self._glance()
        if all(self._takes_more(copy.blade, essential=essential) for copy in copies):
            return True
        errors: list[OSError] = []
        self.require_any(self._writable(errors, essential=essential), errors, "writing new data")
        return False

    def _takes_more(self, blade: Blade, *, essential: bool) -> bool:
        if blade.blade_id in self._states and blade not in self._in_service():
            return False
        return essential or self._rooms.take_more(blade)

    def create_files(
        self, name: str, count: int, *, avoid: Sequence[bytes] = (), essential: bool = False
    ) -> tuple[list[Copy], list[OSError]]:
        """New, locked files of one name on up to ``count`` blades, roomiest preferred.

        Blades that are drained, full or read-only are passed over; with ``essential`` the reserve
        may be used. Returns what could be made, and why others couldn't.
        """
        self._glance()
        copies: list[Copy] = []
        errors: list[OSError] = []
        for blade in self._preference(avoid, errors, essential=essential):
            if len(copies) == count:
                break
            try:
                file = blade.open(name, create=True)
                if not file.lock():
                    raise OSError(errno.EBUSY, "a new segment's file was taken away")
                copies.append(Copy(blade, file))
            except OSError as error:
                errors.append(error)
        return copies, errors

    def _preference(self, avoid: Sequence[bytes], errors: list[OSError], *, essential: bool) -> list[Blade]:
        """By room to within a factor of two, else by chance: so load spreads."""
        usable = [b for b in self._writable(errors, COPIES, essential=essential) if b.blade_id not in avoid]
        order = {b.blade_id: -self._rooms.spare(b, essential=essential).bit_length() for b in usable}
        return sorted(usable, key=lambda blade: (order[blade.blade_id], random.random()))

    def _writable(self, errors: list[OSError], enough: int = 0, *, essential: bool = False) -> list[Blade]:
        """Blades that take new data; ``errors`` hears why others don't.

        If they are fewer than ``enough``, those that are merely late are waited for.
        """
        refusals: list[OSError] = []
        writable = self._writable_now(refusals, essential=essential)
        if len(writable) < enough and self._lookout.await_late():
            refusals.clear()
            writable = self._writable_now(refusals, essential=essential)
        errors += refusals
        return writable

    def _writable_now(self, errors: list[OSError], *, essential: bool) -> list[Blade]:
        writable: list[Blade] = []
        for blade in self._in_service():
            if self._lookout.is_stalling(blade.blade_id):
                errors.append(OSError(errno.ETIMEDOUT, "the drive doesn't answer", repr(blade)))
            elif error := self._rooms.refusal(blade, essential=essential):
                errors.append(error)
            else:
                writable.append(blade)
        return writable

    def _in_service(self) -> list[Blade]:
        """Those in service; if none of them answers, those that are being drained are better than none."""
        blades = list(self)
        return [blade for blade in blades if blade.blade_id not in self._states] or [
            blade for blade in blades if self.state(blade.blade_id) is BladeState.DRAINING
        ]

    # ------------------------------------------------------------ files

    def open_copies(self, name: str, blade_ids: Sequence[bytes], *, write: bool = False) -> list[Copy]:
        """The files of one name that can be opened on the named blades.

        Raises OSError where this process has no descriptors left: that says of none that it isn't there.
        """
        copies: list[Copy] = []
        try:
            for blade_id in blade_ids:
                blade = self.get(blade_id)
                file = try_open(blade, name, write=write) if blade else None
                if blade and file:
                    copies.append(Copy(blade, file))
        except OSError:
            for copy in copies:
                copy.close()
            raise
        return copies

    def require_any(self, copies: Sequence[object], errors: Sequence[OSError], what: str) -> None:
        """Raises what the failures mean if there is no copy at all."""
        if not copies:
            raise blade_error(errors, what)


def try_open(blade: Blade, name: str, *, write: bool = False) -> BladeFile | None:
    """A file, None if it can't be had; raises OSError only as ``Blades.open_copies`` does."""
    try:
        return blade.open(name, write=write)
    except OSError as error:
        if error.errno in OUT_OF_DESCRIPTORS:
            raise
        return None
