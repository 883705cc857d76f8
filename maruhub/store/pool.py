"""A pool on disk: the hub's folder and its blades, made, found and adopted.

``BLADE/blade`` says whose a folder is; ``hub.json`` (see ``hub_file``) only where the blades are.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from maruhub.errors import (
    AlreadyExists,
    BladeLost,
    Conflict,
    Corrupt,
    InvalidInput,
    MaruError,
    UnsupportedFormat,
)
from maruhub.store.blades import Blades
from maruhub.store.copies import blade_error
from maruhub.store.format.identity import (
    BLOCK_BYTES,
    BladeIdentity,
    decode_identity,
    encode_identity,
)
from maruhub.store.hub_file import (
    HUB_FILE,
    BladePlace,
    HubFile,
    encode_hub_file,
    read_hub_file,
    read_stamp,
)
from maruhub.store.hub_lock import locked
from maruhub.store.local_blade import SEGMENTS_FOLDER, LocalBlade, sync_folder, write_durably
from maruhub.store.making import MAKING_FILE, Made, Making, pools_of_earlier_tries

IDENTITY_FILE: Final = "blade"
INDEX_FOLDER: Final = "index"
BLADES_LOCK: Final = "blades.lock"
SECRETS_FILE: Final = "secrets.key"
"""What secrets in rows are encrypted under. It may lie there before a hub is made of its blades again."""
OWN_NAMES: Final = frozenset(
    {"blades", INDEX_FOLDER, "hub.lock", "recovery.lock", BLADES_LOCK, MAKING_FILE, SECRETS_FILE}
)
_NEW_NAMES: Final = tuple(f"{name}.new." for name in (HUB_FILE, MAKING_FILE, SECRETS_FILE))
"""Names begin like this of files that a kill kept from being put in place."""
_BLADE_NAMES: Final = frozenset({IDENTITY_FILE, SEGMENTS_FOLDER, "lost+found"})
"""The last is what a new file system has of itself."""
SEGMENT_BYTES: Final = 256 << 20
_SEGMENT_BYTES_MIN: Final = 64 << 10


class PoolSource:
    """``BladeSource`` of the hub in a folder: what ``hub.json`` lists now, and is what it should be."""

    def __init__(self, hub: Path) -> None:
        self.hub = hub
        self._stamp = read_stamp(hub) if is_hub(hub) else None
        self.file = read_hub_file(hub)
        self._known: dict[bytes, tuple[Path, tuple[int, ...], LocalBlade]] = {}

    def listed(self) -> Sequence[bytes]:
        """See ``BladeSource``; reads the file only if it was replaced."""
        stamp = read_stamp(self.hub)
        if stamp != self._stamp:
            self.file = read_hub_file(self.hub)
            self._stamp = stamp
        return [place.blade_id for place in self.file.blades]

    def place(self, blade_id: bytes) -> BladePlace:
        """Where a listed blade is; raises BladeLost if it isn't listed."""
        for place in self.file.blades:
            if place.blade_id == blade_id:
                return place
        raise BladeLost(f"blade {blade_id.hex()} is no longer the pool's.", hint="See maru blade list.")

    def find(self, blade_id: bytes) -> LocalBlade:
        """See ``BladeSource``; raises BladeLost, Conflict, Corrupt or UnsupportedFormat."""
        place = self.place(blade_id)
        path, stamp, blade = self._known.get(blade_id, (None, None, None))
        found = _identity_stamp(place.path)
        if blade is not None and (path, stamp) == (place.path, found):
            return blade
        identity = read_identity(place.path)
        if identity.pool_id != self.file.pool_id:
            raise Conflict(f"{place.path} is a blade of another pool.")
        if identity.blade_id != blade_id:
            raise Conflict(f"{place.path} is another blade of this pool.")
        blade = LocalBlade(place.path, blade_id)
        self._known[blade_id] = place.path, found, blade
        return blade


def _identity_stamp(blade: Path) -> tuple[int, ...]:
    """Another one if something else is mounted there, or the identity was written anew; empty: nothing."""
    try:
        found = os.stat(blade / IDENTITY_FILE)
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns


@dataclass(frozen=True, slots=True)
class FoundPool:
    """A pool's identity, its blades as seen at each moment, and where they are looked for."""

    identity: BladeIdentity
    blades: Blades
    source: PoolSource

    @property
    def local_blades(self) -> tuple[LocalBlade, ...]:
        """Blades that answer now."""
        return tuple(blade for blade in self.blades if isinstance(blade, LocalBlade))

    @property
    def problems(self) -> dict[Path, str]:
        """Why other blades don't, by folder, in the order of ``blades.missing``."""
        paths = {place.blade_id: place.path for place in self.source.file.blades}
        return {paths[i]: why for i, why in self.blades.problems.items() if i in paths}


def is_hub(path: Path) -> bool:
    """Whether the folder is a hub's."""
    return (path / HUB_FILE).is_file()


def make_pool(path: Path, blades: Sequence[Path], *, segment_bytes: int = SEGMENT_BYTES) -> None:
    """Makes a new pool: identities on the blades first, ``hub.json`` last.

    Killed on the way it leaves what the next call for the same ``path`` takes as empty;
    failing it leaves nothing.
    """
    if segment_bytes < _SEGMENT_BYTES_MIN:
        raise InvalidInput(
            f"A segment of {segment_bytes} bytes is too small; {_SEGMENT_BYTES_MIN} is the least."
        )
    try:
        _require_unused(path, blades)
        _make(path, blades, segment_bytes)
    except OSError as error:
        raise blade_error([error], f"making a hub at {path}") from error


def _make(path: Path, blades: Sequence[Path], segment_bytes: int) -> None:
    pool_id, split_key = secrets.token_bytes(16), secrets.randbits(64)
    with Making(path, pool_id) as making:
        places = []
        for number, blade in enumerate(blades):
            identity = BladeIdentity(
                pool_id, secrets.token_bytes(16), split_key, segment_bytes, time.time_ns() // 1000, number
            )
            making.make_folder(blade / SEGMENTS_FOLDER)
            making.write(blade / IDENTITY_FILE, encode_identity(identity))
            sync_folder(blade.parent)
            places.append(BladePlace(identity.blade_id, blade, number))
        making.write(path / HUB_FILE, encode_hub_file(path, HubFile(pool_id, tuple(places))))


def _require_unused(path: Path, blades: Sequence[Path]) -> None:
    _require_room_for_hub(path)
    if not blades:
        raise InvalidInput("A hub needs at least one blade.")
    if len({blade.resolve() for blade in blades}) < len(blades):
        raise InvalidInput(
            "The same folder is named as a blade twice.", hint="Each blade is a folder of its own."
        )
    earlier = pools_of_earlier_tries(path)
    for blade in blades:
        if blade.exists() and not blade.is_dir():
            raise InvalidInput(f"{blade} is a file.", hint="Name a folder for the blade.")
        if blade.exists():
            _require_no_blade(blade, earlier)
            require_nothing_foreign(blade, path)


def _require_room_for_hub(path: Path) -> None:
    if is_hub(path):
        raise AlreadyExists(f"{path} is a hub already.", hint="Open it, or choose another folder.")
    if path.exists() and not path.is_dir():
        raise InvalidInput(f"{path} is a file.", hint="Name a folder for the hub.")
    others = {p.name for p in path.iterdir()} - OWN_NAMES if path.exists() else set()
    others = {name for name in others if not name.startswith(_NEW_NAMES)}
    if others:
        raise InvalidInput(
            f"{path} is not empty (it holds {min(others)!r}).", hint="Name a new or an empty folder."
        )


def _require_no_blade(blade: Path, earlier: frozenset[bytes]) -> None:
    """That no hub has the blade, were it an empty one; but one that was killed while made may."""
    adopt = "To make a hub of existing blades: maru init HUB --adopt --blade … (each of them)."
    segments, identity = blade / SEGMENTS_FOLDER, blade / IDENTITY_FILE
    if segments.is_dir() and any(segments.iterdir()):
        raise AlreadyExists(f"{blade} is a blade that holds data.", hint=adopt)
    if not identity.exists():
        return
    with contextlib.suppress(BladeLost, Corrupt, UnsupportedFormat):
        if read_identity(blade).pool_id in earlier:
            return
    raise AlreadyExists(
        f"{blade} is a blade of a hub already, though it holds no data yet.",
        hint=f"{adopt} If its hub was never finished: remove {identity} by hand.",
    )


def require_nothing_foreign(blade: Path, hub: Path) -> None:
    """That a folder holds nothing but what an unfinished try to make a blade of it left."""
    for entry in sorted(blade.iterdir()):
        own = entry.name in _BLADE_NAMES or entry.name.startswith(f"{IDENTITY_FILE}.new.")
        if not own and not hub.resolve().is_relative_to(entry.resolve()):
            raise InvalidInput(
                f"{blade} is not empty (it holds {entry.name!r}).",
                hint="Name a new or an empty folder for the blade.",
            )


def adopt_pool(path: Path, blades: Sequence[Path]) -> None:
    """Makes the hub's folder for blades that exist; the index follows from them at opening."""
    _require_room_for_hub(path)
    pools_of_earlier_tries(path)
    if not blades:
        raise InvalidInput("Adopting needs the blades.", hint="Name each: --blade DIR --blade DIR …")
    identities = [read_identity(blade) for blade in blades]
    pools = {identity.pool_id for identity in identities}
    if len(pools) > 1:
        listed = ", ".join(f"{b} ({i.pool_id.hex()[:8]})" for b, i in zip(blades, identities, strict=True))
        raise Conflict(
            f"These blades belong to different pools: {listed}.", hint="Name the blades of one pool."
        )
    path.mkdir(parents=True, exist_ok=True)
    file = HubFile(identities[0].pool_id, ())
    for blade, identity in zip(blades, identities, strict=True):
        place = BladePlace(identity.blade_id, blade, file.free_number(identity.number))
        file = replace(file, blades=(*file.blades, place))
    write_durably(path / HUB_FILE, encode_hub_file(path, file))
    (path / MAKING_FILE).unlink(missing_ok=True)


@contextlib.contextmanager
def changing_blades(hub: Path) -> Iterator[HubFile]:
    """Holds the hub's list of blades, against other processes too; what it says now."""
    with locked(hub / BLADES_LOCK):
        for unfinished in hub.glob(f"{_NEW_NAMES[0]}*"):
            unfinished.unlink(missing_ok=True)
        yield read_hub_file(hub)


def put_hub_file(hub: Path, file: HubFile) -> None:
    """Puts a new list of blades in place, whole and lasting; inside ``changing_blades``."""
    write_durably(hub / HUB_FILE, encode_hub_file(hub, file))


def make_blade(blade: Path, identity: BladeIdentity) -> None:
    """Makes a blade of a folder that is new or empty, lasting; failing it leaves nothing."""
    with Made() as made:
        made.make_folder(blade / SEGMENTS_FOLDER)
        for unfinished in blade.glob(f"{IDENTITY_FILE}.new.*"):
            unfinished.unlink(missing_ok=True)
        made.write(blade / IDENTITY_FILE, encode_identity(identity))
        sync_folder(blade.parent)


def read_identity(blade: Path) -> BladeIdentity:
    """A blade's identity; raises BladeLost, Corrupt or UnsupportedFormat."""
    try:
        block = (blade / IDENTITY_FILE).read_bytes()
    except OSError as error:
        raise BladeLost(
            f"{blade}: no blade there ({error.strerror}).", hint="Is the drive mounted?"
        ) from error
    return decode_identity(block[:BLOCK_BYTES], where=str(blade / IDENTITY_FILE))


def find_pool(path: Path) -> FoundPool:
    """The pool whose hub folder this is, with the blades that answer."""
    source = PoolSource(path)
    present, problems = [], {}
    newer: UnsupportedFormat | None = None
    for blade_id in source.listed():
        try:
            present.append(source.find(blade_id))
        except MaruError as error:
            problems[blade_id] = error.what
            newer = error if isinstance(error, UnsupportedFormat) else newer
    # The hub's file is of this release, so where other blades agree one byte of this one is rotten.
    if newer is not None and 2 * len(present) <= len(present) + len(problems):
        raise newer
    if not present:
        raise BladeLost(
            f"None of the {len(problems)} blades of {path} answers.", hint="; ".join(problems.values())
        )
    identity = read_identity(present[0].root)
    blades = Blades(
        present,
        problems,
        source=source,
        segment_bytes=identity.segment_bytes,
        removed=[place.blade_id for place in source.file.removed],
    )
    return FoundPool(identity, blades, source)
