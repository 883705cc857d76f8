"""The roster: a pool's blades as people name them, added, drained, removed and replaced.

What a blade is used for is a row, and so in the log; where it lies is in ``hub.json``. All
of it works while other processes use the pool: they notice within ``LOOK_SECONDS``.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from maruhub.errors import AlreadyExists, BladeLost, Busy, Conflict, InvalidInput, NotFound, Refused
from maruhub.index.protocol import IndexTxn
from maruhub.store.blade_info import DRAINING, IN_SERVICE, MISSING, REMOVED, BladeInfo
from maruhub.store.capacity import Room
from maruhub.store.commit.unborn import Unborn
from maruhub.store.format.blade_row import BladeState, decode_blade_state, encode_blade_state
from maruhub.store.format.header import log_name
from maruhub.store.format.keys import BLADE_PREFIX, LAYOUT_PREFIX, blade_key, blade_of, segment_of
from maruhub.store.format.layout import Layout, decode_layout
from maruhub.store.format.row import Row
from maruhub.store.hub_file import BladePlace, read_hub_file
from maruhub.store.lookout import LOOK_SECONDS, PATIENCE_SECONDS
from maruhub.store.membership import admit, dismiss
from maruhub.store.pool import INDEX_FOLDER, FoundPool
from maruhub.store.protocol import prefix_end
from maruhub.store.rooms import Measured
from maruhub.store.store import PoolStore

_PAGE: Final = 4096
_ID_DIGITS: Final = 4
"""Of a blade's id at least."""
_NAMES: Final = {
    BladeState.IN_SERVICE: IN_SERVICE,
    BladeState.DRAINING: DRAINING,
    BladeState.REMOVED: REMOVED,
}


class Roster:
    """The blades of an open pool. Safe from any thread and from many processes at once.

    A blade is named by its number, its folder, or the beginning of its id.
    """

    def __init__(self, store: PoolStore, found: FoundPool) -> None:
        self._store = store
        self._found = found
        self._hub = found.source.hub

    def list(self) -> list[BladeInfo]:
        """All blades by number, also those that were removed."""
        self._store.blades.look()
        file = read_hub_file(self._hub)
        counts = self._counts()
        listed = {place.blade_id for place in file.blades}
        places = sorted((*file.blades, *file.removed), key=lambda place: place.number)
        return [self._info(place, counts, listed=place.blade_id in listed) for place in places]

    def add(self, folder: str | Path) -> BladeInfo:
        """Makes a folder a blade, or brings back one that was; it takes new data at once.

        Raises:
            AlreadyExists: It is one already, and in service or draining.
            InvalidInput: The folder holds something else.
            Conflict: It is another pool's.
        """
        self._store.restate(lambda txn, counter: {})  # refused here where the hub can't be written
        before = self._blade_at(Path(folder).absolute())
        if before is not None and before.state in (IN_SERVICE, DRAINING):
            raise AlreadyExists(
                f"{folder} is {before} of this hub already, {before.state}.",
                hint=f"To use it again: maru blade drain {before.number} --undo"
                if before.state == DRAINING
                else "Nothing was changed.",
            )
        place = admit(self._hub, Path(folder).absolute(), self._found.identity)
        self._store.blades.look()
        self._set(place, BladeState.IN_SERVICE, unless=BladeState.DRAINING)
        return self._told(place)

    def drain(self, blade: str | int | Path, *, undo: bool = False) -> BladeInfo:
        """Puts nothing new on a blade, so that care can move away what is there; ``undo``: uses it again.

        Raises:
            BladeLost: It doesn't answer, so nothing can be moved: remove it.
            Refused: No other blade would be left in service.
            Conflict: It was removed.
        """
        place = self._find(blade)
        if place not in read_hub_file(self._hub).blades:
            raise Conflict(f"{place} was removed.", hint="Bring it back: maru blade add DIR.")
        if undo:
            self._set(place, BladeState.IN_SERVICE)
            return self._told(place)
        self._store.blades.look()
        if self._store.blades.get(place.blade_id) is None:
            raise BladeLost(
                f"{place} does not answer, so nothing can be moved from it.",
                hint=f"Bring it back, or: maru blade remove {place.number} --lost",
            )
        self._set(place, BladeState.DRAINING, check=lambda txn: self._require_others(txn, place))
        return self._told(place)

    def remove(self, blade: str | int | Path, *, lost: bool = False) -> BladeInfo:
        """Takes a blade out of the pool. With ``lost`` one that doesn't answer, whatever it held.

        What lay on a lost one is to be made again from the others; ``files`` says how much.

        Raises:
            Conflict: Data lie on it: drain it first.
            BladeLost: It doesn't answer, and data lie on it.
            Busy: A writer has just begun a segment on it; it is being drained now.
        """
        place = self._find(blade)
        if place not in read_hub_file(self._hub).blades:
            return self._told(place)
        self._store.blades.look()
        answers = self._store.blades.get(place.blade_id) is not None
        if lost and answers:
            raise InvalidInput(
                f"{place} answers, so it isn't lost.",
                hint=f"maru blade drain {place.number}; a drive that fails is unmounted first.",
            )

        def check(txn: IndexTxn) -> None:
            self._require_others(txn, place)
            if not lost:
                self._require_unused(txn, place, answers=answers)

        self._set(place, BladeState.REMOVED, check=check)
        if answers:
            self._require_unnoticed(place)
        dismiss(self._hub, place.blade_id)
        return self._told(place)

    def replace(self, old: str | int | Path, folder: str | Path) -> tuple[BladeInfo, BladeInfo]:
        """Puts a new blade in an old one's place: drained if it answers, else removed as lost.

        Can be said again after it was interrupted. Returns the new one and the old one.
        """
        place = self._find(old)
        fresh = self._blade_at(Path(folder).absolute())
        if fresh is None or fresh.state not in (IN_SERVICE, DRAINING) or fresh.id == place.blade_id.hex():
            fresh = self.add(folder)
        self._store.blades.look()
        if self._store.blades.get(place.blade_id) is not None:
            return fresh, self.drain(place.blade_id.hex())
        return fresh, self.remove(place.blade_id.hex(), lost=True)

    # ------------------------------------------------------------ how they are named

    def _find(self, blade: str | int | Path) -> BladePlace:
        file = read_hub_file(self._hub)
        places = (*file.blades, *file.removed)
        name = str(blade)
        folder = Path(name).absolute()
        by_number = [place for place in places if name.isdecimal() and place.number == int(name)]
        by_path = [p for p in file.blades if folder in (p.path.absolute(), p.path.resolve())]
        begins = name.lower() if len(name) >= _ID_DIGITS else "too short, or it could be a mistyped number"
        by_id = [place for place in places if place.blade_id.hex().startswith(begins)]
        for found in (by_number, by_path, by_id):
            if len(found) > 1:
                raise InvalidInput(
                    f"{name!r} may be any of {len(found)} blades.", hint="Write more of the id."
                )
            if found:
                return found[0]
        raise NotFound(f"No blade {name!r} in this hub.", hint="maru blade list shows them.")

    def _blade_at(self, folder: Path) -> BladeInfo | None:
        return next((b for b in self.list() if Path(b.path).resolve() == folder.resolve()), None)

    # ------------------------------------------------------------ what is known of them

    def _told(self, place: BladePlace) -> BladeInfo:
        return next(blade for blade in self.list() if blade.id == place.blade_id.hex())

    def _counts(self) -> Counter[bytes]:
        """Files that the layouts on record name on each blade."""
        return Counter(blade for layout in self._store.layouts() for blade in layout.blades)

    def _info(self, place: BladePlace, counts: Counter[bytes], *, listed: bool) -> BladeInfo:
        blades = self._store.blades
        state, reason = _NAMES[blades.state(place.blade_id)], ""
        used, room = 0, Room(0)
        blade = blades.get(place.blade_id) if listed else None
        if not listed:
            state = REMOVED
        elif blade is None:
            state = state if state == REMOVED else MISSING
            reason = blades.problems.get(place.blade_id, "").removeprefix(str(place.path)).lstrip(": ")
        elif blades.is_stalling(place.blade_id):
            reason = "does not answer in time"
        else:
            reason = blades.refusal(place.blade_id)
            with contextlib.suppress(OSError):
                if isinstance(blade, Measured):
                    room, used = blade.room(), blade.used_bytes()
        return BladeInfo(
            id=place.blade_id.hex(),
            number=place.number,
            path=str(place.path),
            state=state,
            reason=reason,
            used_bytes=used,
            free_bytes=room.free_bytes,
            total_bytes=room.total_bytes,
            files=counts[place.blade_id],
            share=counts[place.blade_id] / max(1, counts.total()),
        )

    # ------------------------------------------------------------ what is set, and when it may be

    def _set(
        self,
        place: BladePlace,
        state: BladeState,
        *,
        unless: BladeState | None = None,
        check: Callable[[IndexTxn], None] = lambda txn: None,
    ) -> None:
        """Sets the blade's row in a turn, after ``check`` in it; a state ``unless`` stays."""

        def decide(txn: IndexTxn, counter: int) -> dict[bytes, bytes | None]:
            check(txn)
            now = _states(txn).get(place.blade_id, BladeState.IN_SERVICE)
            return {} if now in (state, unless) else {blade_key(place.blade_id): encode_blade_state(state)}

        with self._store.blades.assuming(place.blade_id, state):
            self._store.restate(decide)
        self._store.blades.look()

    def _require_others(self, txn: IndexTxn, place: BladePlace) -> None:
        unused = {place.blade_id, *_states(txn)}
        if not set(self._store.blades.answering) - unused:
            raise Refused(
                f"Without {place} no blade would be left in service that answers.",
                hint="Add another first: maru blade add DIR",
            )

    @staticmethod
    def _require_unused(txn: IndexTxn, place: BladePlace, *, answers: bool) -> None:
        files = sum(layout.blades.count(place.blade_id) for layout in _layouts(txn))
        if files and answers:
            raise Conflict(
                f"{place} still holds {_files_text(files)}.",
                hint=f"maru blade drain {place.number}, then maru care --once; maru blade list shows what is left.",
            )
        if files:
            raise BladeLost(
                f"{place} does not answer, and held {_files_text(files)}.",
                hint=f"Bring it back; or, to have them made again: maru blade remove {place.number} --lost",
            )

    def _require_unnoticed(self, place: BladePlace) -> None:
        """That no other process began a segment on it before it noticed; waits until all have."""
        time.sleep(LOOK_SECONDS + 2 * PATIENCE_SECONDS)
        blade = self._store.blades.get(place.blade_id)
        names: set[str] = set()
        with contextlib.suppress(OSError):
            names.update(blade.names() if blade is not None else ())
        begun = Unborn(self._hub / INDEX_FOLDER / "unborn").segments()
        if self._counts()[place.blade_id] or any(log_name(segment) in names for segment in begun):
            self._set(place, BladeState.DRAINING)
            raise Busy(
                f"A writer has just begun a segment on {place}; it is being drained now.",
                hint="Run maru care --once, then try again.",
            )


def _files_text(count: int) -> str:
    return "one file of a segment" if count == 1 else f"{count:,} files of segments"


def _states(txn: IndexTxn) -> Mapping[bytes, BladeState]:
    rows = txn.scan(BLADE_PREFIX, prefix_end(BLADE_PREFIX), _PAGE)
    return {blade_of(key): decode_blade_state(Row(key, raw).payload) for key, raw in rows}


def _layouts(txn: IndexTxn) -> Iterator[Layout]:
    start = LAYOUT_PREFIX
    while page := txn.scan(start, prefix_end(LAYOUT_PREFIX), _PAGE):
        yield from (decode_layout(segment_of(key), Row(key, raw).payload) for key, raw in page)
        start = page[-1][0] + b"\0"
