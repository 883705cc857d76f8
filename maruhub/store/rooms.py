"""Room on blades' drives: whether new data may go there, and how much before the reserve is reached."""

from __future__ import annotations

import errno
import os
import time
from typing import Final, Protocol, runtime_checkable

from maruhub.store.blade import Blade
from maruhub.store.capacity import Room, reserve_bytes

_BYTES_A_SECOND: Final = 8 << 30
"""More than a drive takes: so long as it would need to reach its reserve, it isn't asked again."""

_ASK_SECONDS: Final = 1.0
"""The longest that it isn't."""


@runtime_checkable
class Measured(Protocol):
    """A blade that knows the size of its drive: a reserve is kept there."""

    def room(self) -> Room:
        """Room on the drive now; raises OSError."""

    def used_bytes(self) -> int:
        """What the pool's files take on it; costs a look at each file."""


class Rooms:
    """What drives say of themselves. Safe from any thread; asking one that stalls waits for it.

    Args:
        segment_bytes: The pool's; so much at least is kept in reserve on a large drive.
    """

    def __init__(self, segment_bytes: int) -> None:
        self._segment_bytes = segment_bytes
        self._measured: dict[bytes, tuple[float, int]] = {}

    def refusal(self, blade: Blade, *, essential: bool = False) -> OSError | None:
        """Why nothing new should be put on a blade; None if it should, or its drive doesn't say."""
        if not isinstance(blade, Measured):
            return None
        try:
            room = blade.room()
        except OSError as error:
            return error
        if room.read_only:
            return OSError(errno.EROFS, os.strerror(errno.EROFS), str(blade))
        if not essential and self._remember(blade.blade_id, room) <= 0:
            return OSError(errno.ENOSPC, "only the reserve is left", str(blade))
        return None

    def spare(self, blade: Blade, *, essential: bool = False) -> int:
        """Bytes that may be written, the reserve among them if it is ``essential``; 0 on an error."""
        try:
            if essential or not isinstance(blade, Measured):
                return blade.free_bytes()
            return max(0, self._remember(blade.blade_id, blade.room()))
        except OSError:
            return 0

    def take_more(self, blade: Blade) -> bool:
        """Whether a blade is above its reserve; cheap, but for the last moment before it."""
        at, spare = self._measured.get(blade.blade_id, (0.0, 0))
        if time.monotonic() - at < min(_ASK_SECONDS, spare / _BYTES_A_SECOND):
            return True
        return not isinstance(blade, Measured) or self.spare(blade) > 0

    def _remember(self, blade_id: bytes, room: Room) -> int:
        spare = room.free_bytes - reserve_bytes(room.total_bytes, self._segment_bytes)
        self._measured[blade_id] = time.monotonic(), spare
        return spare
