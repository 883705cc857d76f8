"""The ``D`` row: what a blade is used for. Pure. A blade without a row is in service."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

from maruhub.errors import Corrupt

_PAYLOAD: Final = struct.Struct("<BB6x")
_VERSION: Final = 1


class BladeState(IntEnum):
    """In service: read and written. Draining: read, but nothing new is put there. Removed: not used."""

    IN_SERVICE = 0
    DRAINING = 1
    REMOVED = 2


def encode_blade_state(state: BladeState) -> bytes | None:
    """Payload of the blade's row; None (the row goes) for a blade in service."""
    return None if state is BladeState.IN_SERVICE else _PAYLOAD.pack(_VERSION, state)


def decode_blade_state(payload: bytes) -> BladeState:
    """Inverse of :func:`encode_blade_state`; raises Corrupt."""
    try:
        version, state = _PAYLOAD.unpack_from(payload)
        if version == _VERSION and state != BladeState.IN_SERVICE:
            return BladeState(state)
    except (struct.error, ValueError):
        pass
    raise Corrupt(f"a blade's row that this release can't read: {payload[:8].hex()}", hint="Upgrade maruhub.")
