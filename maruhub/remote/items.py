"""The items of a read: verified, in order, each whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maruhub.errors import InvalidData, MaruError
from maruhub.remote.reading import Answer, BadStream, read_to_end
from maruhub.remote.transport import Transport
from maruhub.wire.stream import Begin, Event, Samples, Window
from maruhub.wire.table import decode_table

if TYPE_CHECKING:
    import pyarrow as pa

Parts = list[memoryview | MaruError]
Ask = Callable[[int], dict[str, Any]]
"""Items that have come → the request for the rest."""


@dataclass(frozen=True, slots=True)
class Items:
    """Some whole items. ``samples`` says what they are: a row an item, or None for objects."""

    parts: Parts
    samples: pa.Table | None

    def __len__(self) -> int:
        return len(self.parts)


def read_items(transport: Transport, ask: Ask) -> Iterator[Items]:
    """All items of a read, as :func:`read_to_end` reads it; raises what that raises."""
    return read_to_end(transport, lambda done: _Answer(ask(done)))


class _Answer(Answer[Items]):
    """Assembles rows to items, and tells them with what they are."""

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__(request)
        self._held: list[memoryview] = []
        self._samples: pa.Table | None = None
        self._used = 0

    def heard(self, event: Event) -> Iterator[Items]:
        if isinstance(event, Samples):
            self._describe(event.arrow)
        elif isinstance(event, Window):
            parts = event.parts if event.whole else self._assemble(event)
            if parts:
                yield Items(parts, self._describing(len(parts)))
        else:
            assert isinstance(event, Begin)

    def _assemble(self, window: Window) -> Parts:
        parts: Parts = []
        first = 0
        for i, (part, more) in enumerate(zip(window.parts, window.more, strict=True)):
            if isinstance(part, MaruError):
                self._held = []
                parts.append(part)
            elif more and i + 1 < len(window.parts):
                continue
            else:
                self._held.append(window.together(first, i + 1))
                if not more:
                    # Only what came in several frames is put together.
                    parts.append(self._held[0] if len(self._held) == 1 else memoryview(b"".join(self._held)))
                    self._held = []
            first = i + 1
        return parts

    def _describe(self, arrow: bytes) -> None:
        if self._samples is not None and self._used != len(self._samples):
            raise BadStream("samples were named that did not come")
        try:
            self._samples, self._used = decode_table(arrow), 0
        except InvalidData as error:
            raise BadStream(str(error)) from error

    def _describing(self, count: int) -> pa.Table | None:
        if self._samples is None:
            return None
        if self._used + count > len(self._samples):
            raise BadStream("samples came that were not named")
        self._used += count
        return self._samples.slice(self._used - count, count)
