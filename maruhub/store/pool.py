"""A pool on disk: the hub's folder and its blades, made, found and adopted.

``hub.json`` is a cache of what the blades say of themselves and of where they are.
"""

from __future__ import annotations

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
from maruhub.store.copies import blade_error
from maruhub.store.identity import (
    BLOCK_BYTES,
    FORMAT_VERSION,
    BladeIdentity,
    decode_identity,
    encode_identity,
)
from maruhub.store.local_blade import SEGMENTS_FOLDER, LocalBlade, sync_folder, write_durably

HUB_FILE: Final = "hub.json"
IDENTITY_FILE: Final = "blade"
INDEX_FOLDER: Final = "index"
OWN_NAMES: Final = frozenset({"blades", INDEX_FOLDER, "hub.lock", "recovery.lock"})
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

    Killed on the way it leaves folders that the next call takes as empty.
    """
    _require_room_for_hub(path)
    if not blades:
        raise InvalidInput("A hub needs at least one blade.")
    if len({blade.resolve() for blade in blades}) < len(blades):
        raise InvalidInput(
            "The same folder is named as a blade twice.", hint="Each blade is a folder of its own."
        )
    if segment_bytes < _SEGMENT_BYTES_MIN:
        raise InvalidInput(
            f"A segment of {segment_bytes} bytes is too small; {_SEGMENT_BYTES_MIN} is the least."
        )
    for blade in blades:
        _require_unused(blade)
    pool_id, split_key = secrets.token_bytes(16), secrets.randbits(64)
    places = []
    try:
        path.mkdir(parents=True, exist_ok=True)
        for number, blade in enumerate(blades):
            identity = BladeIdentity(
                pool_id, secrets.token_bytes(16), split_key, segment_bytes, time.time_ns() // 1000, number
            )
            _make_blade(blade, identity)
            places.append(BladePlace(identity.blade_id, blade))
        _write_hub_file(path, pool_id, places)
    except OSError as error:
        raise blade_error([error], f"making a hub at {path}") from error


def _require_room_for_hub(path: Path) -> None:
    if is_hub(path):
        raise AlreadyExists(f"{path} is a hub already.", hint="Open it, or choose another folder.")
    if path.exists() and not path.is_dir():
        raise InvalidInput(f"{path} is a file.", hint="Name a folder for the hub.")
    others = {p.name for p in path.iterdir()} - OWN_NAMES if path.exists() else set()
    if others:
        raise InvalidInput(
            f"{path} is not empty (it holds {min(others)!r}).", hint="Name a new or an empty folder."
        )


def _require_unused(blade: Path) -> None:
    segments = blade / SEGMENTS_FOLDER
    if (blade / IDENTITY_FILE).exists() and segments.is_dir() and any(segments.iterdir()):
        raise AlreadyExists(
            f"{blade} is a blade that holds data.",
            hint="To make a hub of existing blades: maru init HUB --adopt --blade … (each of them).",
        )


def _make_blade(blade: Path, identity: BladeIdentity) -> None:
    segments = blade / SEGMENTS_FOLDER
    segments.mkdir(parents=True, exist_ok=True)
    write_durably(blade / IDENTITY_FILE, encode_identity(identity))
    sync_folder(blade.parent)


def _write_hub_file(path: Path, pool_id: bytes, places: Sequence[BladePlace]) -> None:
    blades = [{"id": place.blade_id.hex(), "path": _stored_path(path, place.path)} for place in places]
    text = json.dumps({"format": FORMAT_VERSION, "pool": pool_id.hex(), "blades": blades}, indent=2)
    write_durably(path / HUB_FILE, text.encode() + b"\n")


def _stored_path(hub: Path, blade: Path) -> str:
    """Relative where the blade lies in the hub's folder, so that the folder can be moved."""
    full, root = blade.resolve(), hub.resolve()
    return str(full.relative_to(root)) if full.is_relative_to(root) else str(full)


def adopt_pool(path: Path, blades: Sequence[Path]) -> None:
    """Makes the hub's folder for blades that exist; the index follows from them at opening."""
    _require_room_for_hub(path)
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
    _write_hub_file(path, identities[0].pool_id, places)


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
