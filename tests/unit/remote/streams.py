"""A hub elsewhere whose answers are written down."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Sequence
from typing import Any

from maruhub.errors import Unavailable
from maruhub.remote.patience import Patience


class Streams:
    """A transport that answers with these streams, one after the other; what was asked is kept."""

    def __init__(self, *streams: Sequence[bytes]) -> None:
        self._streams = iter(streams)
        self.asked: list[Any] = []
        self.checked: list[bool] = []

    @contextlib.contextmanager
    def stream(self, request: object, *, checked: bool) -> Generator[Any]:
        self.asked.append(request)
        self.checked.append(checked)
        yield iter(next(self._streams))

    def patience(self) -> Patience:
        ticks = itertools.count(step=0.1)
        return Patience(1, sleep=lambda _: None, now=lambda: next(ticks))

    def give_up(self, cut: Exception) -> Unavailable:
        return Unavailable(str(cut))
