"""``HUB/hub.json``: which blades a pool has and where they were last.

A cache of what the blades say of themselves: it can be made again from them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from maruhub.errors import Corrupt, NoSuchHub, UnsupportedFormat
from maruhub.store.copies import blade_error
from maruhub.store.format.identity import FORMAT_VERSION

HUB_FILE: Final = "hub.json"


@dataclass(frozen=True, slots=True)
class BladePlace:
    """A blade of the pool, the folder where it was last, and the number that people call it by."""

    blade_id: bytes
    path: Path
    number: int

    def __str__(self) -> str:
        return f"blade {self.number} ({self.path})"


@dataclass(frozen=True, slots=True)
class HubFile:
    """What the file says. ``removed``: blades that the pool had once; their numbers aren't given again."""

    pool_id: bytes
    blades: tuple[BladePlace, ...]
    removed: tuple[BladePlace, ...] = ()

    def free_number(self, wanted: int = -1) -> int:
        """``wanted``, if it isn't any blade's, else the next one."""
        taken = {place.number for place in (*self.blades, *self.removed)}
        return wanted if wanted >= 0 and wanted not in taken else max(taken, default=-1) + 1


def read_stamp(hub: Path) -> tuple[int, int, int]:
    """Another one whenever the file was replaced; raises OSError."""
    found = (hub / HUB_FILE).stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def encode_hub_file(hub: Path, file: HubFile) -> bytes:
    """The bytes of the file in the folder ``hub``."""
    fields = {
        "format": FORMAT_VERSION,
        "pool": file.pool_id.hex(),
        "blades": _stored(hub, file.blades),
    }
    if file.removed:
        fields["removed"] = _stored(hub, file.removed)
    return json.dumps(fields, indent=2).encode() + b"\n"


def _stored(hub: Path, places: Iterable[BladePlace]) -> list[dict[str, Any]]:
    return [
        {"id": place.blade_id.hex(), "path": _stored_path(hub, place.path), "number": place.number}
        for place in places
    ]


def _stored_path(hub: Path, blade: Path) -> str:
    """Relative where the blade lies in the hub's folder, so that the folder can be moved."""
    full, root = blade.resolve(), hub.resolve()
    return str(full.relative_to(root)) if full.is_relative_to(root) else str(full)


def read_hub_file(hub: Path) -> HubFile:
    """What the file in the folder ``hub`` says; raises NoSuchHub, Corrupt, UnsupportedFormat."""
    try:
        text = (hub / HUB_FILE).read_text()
    except (FileNotFoundError, NotADirectoryError):
        raise NoSuchHub(f"{hub} is not a hub.", hint=f"Make one: maru init {hub}") from None
    except OSError as error:
        raise blade_error([error], f"reading {hub / HUB_FILE}") from error
    try:
        stored = json.loads(text)
        version = int(stored["format"])
        if version > FORMAT_VERSION:
            raise UnsupportedFormat(
                f"{hub}: format version {version}, this release reads up to {FORMAT_VERSION}.",
                hint="Upgrade maruhub.",
            )
        return HubFile(
            bytes.fromhex(stored["pool"]),
            _places(hub, stored["blades"]),
            _places(hub, stored.get("removed", [])),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Corrupt(
            f"{hub / HUB_FILE} cannot be understood ({error}).",
            hint="Make it again from the blades: move it away, then maru init HUB --adopt --blade …",
        ) from error


def _places(hub: Path, stored: list[dict[str, Any]]) -> tuple[BladePlace, ...]:
    """Where no number stands, the place in the list counts."""
    return tuple(
        BladePlace(bytes.fromhex(blade["id"]), hub / blade["path"], int(blade.get("number", at)))
        for at, blade in enumerate(stored)
    )
