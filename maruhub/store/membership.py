"""Folders that become blades of a pool, come back as such, or leave it: the list in ``hub.json``.

Killed at any point it leaves what the next call takes up: a folder that is nothing yet, or a
blade of this pool that isn't listed yet.
"""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import replace
from pathlib import Path

from maruhub.errors import AlreadyExists, Conflict, InvalidInput, MaruError
from maruhub.store.copies import blade_error
from maruhub.store.format.identity import BladeIdentity
from maruhub.store.hub_file import BladePlace, HubFile
from maruhub.store.pool import (
    IDENTITY_FILE,
    changing_blades,
    make_blade,
    put_hub_file,
    read_identity,
    require_nothing_foreign,
)


def admit(hub: Path, folder: Path, like: BladeIdentity) -> BladePlace:
    """Lists a folder among the pool's blades: a new or empty one, or a blade that was its before.

    Args:
        hub: The hub's folder.
        folder: The blade's.
        like: Any other blade of the pool.

    Raises:
        InvalidInput: The folder holds something else, or lies in another blade.
        Conflict: It is a blade of another pool, or a copy of one that answers.
    """
    try:
        with changing_blades(hub) as file:
            before = _own_identity(folder, like)
            if before is None:
                _require_apart(folder, file)
                _require_empty(folder, hub)
                identity = _new_identity(file, like)
                make_blade(folder, identity)
                place = BladePlace(identity.blade_id, folder, identity.number)
            else:
                place = _place_again(folder, before, file)
            put_hub_file(hub, _with(file, place))
            return place
    except OSError as error:
        raise blade_error([error], f"making {folder} a blade") from error


def _own_identity(folder: Path, like: BladeIdentity) -> BladeIdentity | None:
    """What the folder says of itself, if it is a blade of this pool; None if it is none at all."""
    if not (folder / IDENTITY_FILE).exists():
        return None
    found = read_identity(folder)
    if found.pool_id != like.pool_id:
        raise Conflict(
            f"{folder} is a blade of another hub (pool {found.pool_id.hex()[:8]}, not {like.pool_id.hex()[:8]}).",
            hint="Name a new or an empty folder. Nothing was changed.",
        )
    return found


def _require_apart(folder: Path, file: HubFile) -> None:
    full = folder.resolve()
    for place in file.blades:
        other = place.path.resolve()
        if full == other:
            raise AlreadyExists(
                f"{folder} is the folder of {place}, which does not answer.", hint="Is the drive mounted?"
            )
        if full.is_relative_to(other) or other.is_relative_to(full):
            raise InvalidInput(
                f"{folder} and {place} lie one in the other.", hint="Each blade is a folder of its own."
            )


def _require_empty(folder: Path, hub: Path) -> None:
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is not a folder.", hint="Name a folder for the blade.")
    require_nothing_foreign(folder, hub)
    segments = folder / "segments"
    if segments.is_dir() and any(segments.iterdir()):
        raise InvalidInput(
            f"{folder} holds segments, but nothing says whose.", hint="Name a new or an empty folder."
        )


def _new_identity(file: HubFile, like: BladeIdentity) -> BladeIdentity:
    return replace(
        like,
        blade_id=secrets.token_bytes(16),
        created_us=time.time_ns() // 1000,
        number=file.free_number(),
    )


def _place_again(folder: Path, identity: BladeIdentity, file: HubFile) -> BladePlace:
    """Where a blade of this pool is listed from now on; its number stays if nobody has it."""
    for place in file.blades:
        if place.blade_id == identity.blade_id:
            if place.path.resolve() != folder.resolve() and _answers(place):
                raise Conflict(
                    f"{folder} is a copy of {place}, which answers.",
                    hint="Name a new or an empty folder. Nothing was changed.",
                )
            return replace(place, path=folder)
    for place in file.removed:
        if place.blade_id == identity.blade_id:
            return replace(place, path=folder)
    return BladePlace(identity.blade_id, folder, file.free_number(identity.number))


def _answers(place: BladePlace) -> bool:
    try:
        return read_identity(place.path).blade_id == place.blade_id
    except MaruError:
        return False


def _with(file: HubFile, place: BladePlace) -> HubFile:
    """The list with the blade, where it stood if it did."""
    blades = [place if other.blade_id == place.blade_id else other for other in file.blades]
    if place not in blades:
        blades.append(place)
    removed = tuple(other for other in file.removed if other.blade_id != place.blade_id)
    return HubFile(file.pool_id, tuple(blades), removed)


def dismiss(hub: Path, blade_id: bytes) -> None:
    """Takes a blade from the list; the file remembers its number."""
    try:
        with changing_blades(hub) as file:
            gone = tuple(place for place in file.blades if place.blade_id == blade_id)
            kept = tuple(place for place in file.blades if place.blade_id != blade_id)
            if gone:
                put_hub_file(hub, HubFile(file.pool_id, kept, (*file.removed, *gone)))
    except OSError as error:
        raise blade_error([error], f"writing the list of blades in {hub}") from error
