"""This machine's clocks as the hub reads them, put forward without waiting."""

from __future__ import annotations

import dataclasses

import pytest

from maruhub.care import lifecycle_clock
from maruhub.store import store
from maruhub.store.commit import clock, turn


class Clocks:
    """What the hub reads from them, for as long as a test lasts.

    Args:
        patch: The test's own.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._wall_us = self._boot_us = 0
        self._read = clock.read_moment
        for module in (turn, store, lifecycle_clock):
            patch.setattr(module, "read_moment", self._moment)

    def advance(self, *, wall_us: float = 0, boot_us: float = 0) -> None:
        """Lets so much more have passed on each."""
        self._wall_us += round(wall_us)
        self._boot_us += round(boot_us)

    def _moment(self) -> clock.Moment:
        now = self._read()
        return dataclasses.replace(
            now, wall_us=now.wall_us + self._wall_us, boot_us=now.boot_us + self._boot_us
        )
