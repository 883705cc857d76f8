"""The blades of a pool as this process sees them: which answer, and which to write on."""

from __future__ import annotations

import errno
import random
from collections.abc import Collection, Iterator, Sequence

from maruhub.store.blade import Blade, BladeFile
from maruhub.store.commit.copies import Copy, blade_error

COPIES = 3
"""Full copies of an open log; fewer only where there are fewer blades."""


class Blades:
    """All blades of the pool by id. ``missing`` names those whose folder doesn't answer."""

    def __init__(self, present: Sequence[Blade], missing: Sequence[bytes] = ()) -> None:
        self._by_id = {blade.blade_id: blade for blade in present}
        self.missing = tuple(missing)

    def __iter__(self) -> Iterator[Blade]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        """How many the pool has, missing ones included."""
        return len(self._by_id) + len(self.missing)

    @property
    def answering(self) -> Collection[bytes]:
        """Ids of the blades whose folder answers."""
        return self._by_id.keys()

    def get(self, blade_id: bytes) -> Blade | None:
        """The blade, or None if it is missing."""
        return self._by_id.get(blade_id)

    @property
    def wanted_copies(self) -> int:
        """Full copies that a log should have now."""
        return max(1, min(COPIES, len(self._by_id)))

    def create_files(
        self, name: str, count: int, *, avoid: Sequence[bytes] = ()
    ) -> tuple[list[Copy], list[OSError]]:
        """New, locked files of one name on up to ``count`` blades, roomiest preferred.

        Returns what could be made, and why others couldn't.
        """
        copies: list[Copy] = []
        errors: list[OSError] = []
        for blade in self._preference(avoid):
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

    def _preference(self, avoid: Sequence[bytes]) -> list[Blade]:
        """By room to within a factor of two, else by chance: so load spreads."""
        usable = [blade for blade in self if blade.blade_id not in avoid]
        return sorted(usable, key=lambda blade: (-_room(blade).bit_length(), random.random()))

    def open_copies(self, name: str, blade_ids: Sequence[bytes], *, write: bool = False) -> list[Copy]:
        """The files of one name that can be opened on the named blades."""
        copies = []
        for blade_id in blade_ids:
            blade = self._by_id.get(blade_id)
            file = _try_open(blade, name, write=write) if blade else None
            if blade and file:
                copies.append(Copy(blade, file))
        return copies

    def require_any(self, copies: Sequence[Copy], errors: Sequence[OSError], what: str) -> None:
        """Raises what the failures mean if there is no copy at all."""
        if not copies:
            raise blade_error(errors, what)


def _room(blade: Blade) -> int:
    try:
        return blade.free_bytes()
    except OSError:
        return 0


def _try_open(blade: Blade, name: str, *, write: bool) -> BladeFile | None:
    try:
        return blade.open(name, write=write)
    except OSError:
        return None
