"""A pool on disk: the hub's folder and its blades, made, found and adopted.

``hub.json`` is a cache of what the blades say of themselves and of where they are.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from maruhub.errors import (
    AlreadyExists,
    BladeLost,
    Conflict,
    Corrupt,
    InvalidInput,
    MaruError,
    NoSuchHub,
    UnsupportedFormat,
)
from maruhub.store.blades import Blades
from maruhub.store.commit.copies import blade_error
from maruhub.store.format.identity import (
    BLOCK_BYTES,
    FORMAT_VERSION,
    BladeIdentity,
    decode_identity,
    encode_identity,
)
from maruhub.store.local_blade import SEGMENTS_FOLDER, LocalBlade, sync_folder, write_durably
from maruhub.store.making import MAKING_FILE, Making, pools_of_earlier_tries

HUB_FILE: Final = "hub.json"
IDENTITY_FILE: Final = "blade"
INDEX_FOLDER: Final = "index"
OWN_NAMES: Final = frozenset({"blades", INDEX_FOLDER, "hub.lock", "recovery.lock", MAKING_FILE})
_NEW_NAMES: Final = (f"{HUB_FILE}.new.", f"{MAKING_FILE}.new.")
"""Names begin like this of files that a kill kept from being put in place."""
_BLADE_NAMES: Final = frozenset({IDENTITY_FILE, SEGMENTS_FOLDER, "lost+found"})
"""The last is what a new file system has of itself."""
SEGMENT_BYTES: Final = 256 << 20
_SEGMENT_BYTES_MIN: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class BladePlace:
    """A blade of the pool and the folder where it was last."""

    blade_id: bytes
    path: Path


@dataclass(frozen=True, slots=True)
class FoundPool:
    """A pool's identity, its blades that answer, and why others don't (path → sentence)."""

    identity: BladeIdentity
    blades: Blades
    local_blades: tuple[LocalBlade, ...]
    problems: dict[Path, str]


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
            places.append(BladePlace(identity.blade_id, blade))
        making.write(path / HUB_FILE, _hub_file(path, pool_id, places))


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
            _require_nothing_foreign(blade, path)


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


def _require_nothing_foreign(blade: Path, hub: Path) -> None:
    for entry in sorted(blade.iterdir()):
        own = entry.name in _BLADE_NAMES or entry.name.startswith(f"{IDENTITY_FILE}.new.")
        if not own and not hub.resolve().is_relative_to(entry.resolve()):
            raise InvalidInput(
                f"{blade} is not empty (it holds {entry.name!r}).",
                hint="Name a new or an empty folder for the blade.",
            )


def _hub_file(path: Path, pool_id: bytes, places: Sequence[BladePlace]) -> bytes:
    blades = [{"id": place.blade_id.hex(), "path": _stored_path(path, place.path)} for place in places]
    text = json.dumps({"format": FORMAT_VERSION, "pool": pool_id.hex(), "blades": blades}, indent=2)
    return text.encode() + b"\n"


def _stored_path(hub: Path, blade: Path) -> str:
    """Relative where the blade lies in the hub's folder, so that the folder can be moved."""
    full, root = blade.resolve(), hub.resolve()
    return str(full.relative_to(root)) if full.is_relative_to(root) else str(full)


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
    places = [BladePlace(i.blade_id, b) for b, i in zip(blades, identities, strict=True)]
    write_durably(path / HUB_FILE, _hub_file(path, identities[0].pool_id, places))
    (path / MAKING_FILE).unlink(missing_ok=True)


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
    pool_id, places = _read_hub_file(path)
    identities: list[BladeIdentity] = []
    present, missing, problems = [], [], {}
    for place in places:
        try:
            identity = read_identity(place.path)
            if (identity.pool_id, identity.blade_id) != (pool_id, place.blade_id):
                raise Conflict(f"{place.path} is a blade of another pool, or another blade of this one.")
        except UnsupportedFormat:
            raise
        except MaruError as error:
            missing.append(place.blade_id)
            problems[place.path] = error.what
            continue
        identities.append(identity)
        present.append(LocalBlade(place.path, place.blade_id))
    if not present:
        raise BladeLost(
            f"None of the {len(places)} blades of {path} answers.", hint="; ".join(problems.values())
        )
    return FoundPool(identities[0], Blades(present, missing), tuple(present), problems)


def _read_hub_file(path: Path) -> tuple[bytes, list[BladePlace]]:
    try:
        text = (path / HUB_FILE).read_text()
    except (FileNotFoundError, NotADirectoryError):
        raise NoSuchHub(f"{path} is not a hub.", hint=f"Make one: maru init {path}") from None
    except OSError as error:
        raise blade_error([error], f"reading {path / HUB_FILE}") from error
    try:
        stored = json.loads(text)
        version = int(stored["format"])
        if version > FORMAT_VERSION:
            raise UnsupportedFormat(
                f"{path}: format version {version}, this release reads up to {FORMAT_VERSION}.",
                hint="Upgrade maruhub.",
            )
        places = [BladePlace(bytes.fromhex(b["id"]), path / b["path"]) for b in stored["blades"]]
        return bytes.fromhex(stored["pool"]), places
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(
            f"{path / HUB_FILE} cannot be understood ({error}).",
            hint="Make it again from the blades: move it away, then maru init HUB --adopt --blade …",
        ) from error
