"""The items of a read, verified, in order, over any number of cuts.

What has been yielded is behind us: after a cut the read is asked for again from the item behind
the last whole one, and nothing comes twice or is left out.

Bytes are summed once, here, where they are used. Only where a sum is wrong the hub is asked to check
what it sends as well: it knows other copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maruhub.errors import InvalidData, MaruError
from maruhub.remote.transport import Cut, Transport
from maruhub.wire.frame import Buffer
from maruhub.wire.stream import Begin, Samples, StreamReader, Window
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


def read_items(transport: Transport, ask: Ask) -> Iterator[Items]:
    """All items of a read.

    Raises:
        Unavailable: The hub did not answer for as long as patience lasts.
        MaruError: What the hub says of the read as a whole.
    """
    done, patience, checked = 0, transport.patience(), False
    while True:
        attempt = _Attempt()
        try:
            with transport.stream(ask(done), checked=checked) as pieces:
                for piece in pieces:
                    for items in attempt.feed(piece):
                        done += len(items.parts)
                        patience.progress()
                        yield items
            if attempt.is_whole:
                return
            cut: Exception = Cut("the answer was cut")
        except (Cut, BadStream) as error:
            cut = error
        if isinstance(cut, BadStream) and not checked:
            checked = True  # the network did not fail: nothing is waited for
        elif not patience.failed():
            raise transport.give_up(cut) from cut


class BadStream(Exception):
    """What came is no stream; most likely something was altered on the way."""


class _Attempt:
    """One answer on its way: assembles rows to items, and tells them with what they are."""

    def __init__(self) -> None:
        self._reader = StreamReader()
        self._held: list[memoryview] = []
        self._samples: pa.Table | None = None
        self._used = 0

    @property
    def is_whole(self) -> bool:
        """Whether the answer has come to its end."""
        return self._reader.ended

    def feed(self, piece: Buffer) -> Iterator[Items]:
        """The items that are whole with ``piece``; raises BadStream, or what a FAULT says."""
        events = self._reader.feed(piece)
        while True:
            try:
                event = next(events, None)
            except InvalidData as error:
                raise BadStream(str(error)) from error
            if event is None:
                return
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
