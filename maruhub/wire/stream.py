"""The law of a stream: which frame may follow which, and when it is whole. Pure.

    BEGIN (SAMPLES | WINDOW)* (END | FAULT)

The writer counts and sums what it sends; the reader does the same, and believes END only if
both agree. So a stream that is cut, joined from two, or lacks a frame is never taken for whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import numpy as np
import xxhash

from maruhub.errors import InvalidData, MaruError
from maruhub.wire import fault
from maruhub.wire.frame import MORE, OK, Buffer, Decoder, Frame, Kind, RowTable, encode, encode_apart

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Begin:
    """What a stream says of itself."""

    about: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Samples:
    """What the next items are: an Arrow IPC stream."""

    arrow: bytes


@dataclass(frozen=True, slots=True)
class Window:
    """Rows whose bytes are verified.

    Attributes:
        items: Which item each row belongs to.
        parts: A row's bytes, or the error of its item.
        more: Whether the item goes on in the next row.
        whole: Every row is an item of its own, with its bytes.
        payload: The bytes of all rows, back to back.
        ends: Where those of each row end in it.
    """

    items: list[int]
    parts: list[memoryview | MaruError]
    more: list[bool]
    whole: bool
    payload: memoryview
    ends: list[int]

    def together(self, first: int, stop: int) -> memoryview:
        """The bytes of rows ``first … stop``, of which none failed, without a copy."""
        return self.payload[self.ends[first - 1] if first else 0 : self.ends[stop - 1]]


Event = Begin | Samples | Window


class StreamWriter:
    """Encodes a stream's frames in order, and remembers what END must say."""

    def __init__(self) -> None:
        self._order = xxhash.xxh3_64()
        self._items = 0
        self._bytes = 0

    def begin(self, about: dict[str, Any]) -> bytes:
        """The first frame."""
        return self._frame(Kind.BEGIN, text=_json({"format": FORMAT, **about}))

    def samples(self, arrow: Buffer) -> bytes:
        """What the next items are."""
        return self._frame(Kind.SAMPLES, text=bytes(arrow))

    def window(self, rows: RowTable, parts: Sequence[Buffer | MaruError]) -> bytes:
        """As :meth:`window_apart`, in one piece: a copy."""
        return b"".join(self.window_apart(rows, parts))

    def window_apart(self, rows: RowTable, parts: Sequence[Buffer | MaruError]) -> list[Buffer]:
        """Rows and their bytes or errors, as buffers to be sent back to back; ``parts`` are among them.

        Of ``rows`` items, sums and flags are set; lengths, and what failed rows need, are set here.
        """
        text = b""
        payload = [part for part in parts if not isinstance(part, MaruError)]
        if len(payload) < len(parts):
            rows, text = _with_texts(rows.copy(), parts)
        else:
            rows["length"], rows["status"] = list(map(len, payload)), OK
        self._items += int(np.count_nonzero(rows["flags"] & MORE == 0))
        self._bytes += sum(map(len, payload))
        buffers, digest = encode_apart(Kind.WINDOW, rows=rows, text=text, payload=payload)
        self._order.update(digest.to_bytes(8, "little"))
        return buffers

    def end(self) -> bytes:
        """The last frame, which vouches for all before."""
        about = {"items": self._items, "bytes": self._bytes, "order": f"{self._order.intdigest():016x}"}
        return encode(Kind.END, text=_json(about))[0]

    def fault(self, error: MaruError) -> bytes:
        """Instead of END: why nothing follows."""
        return encode(Kind.FAULT, text=fault.encode(error))[0]

    def _frame(self, kind: Kind, *, text: bytes) -> bytes:
        data, digest = encode(kind, text=text)
        self._order.update(digest.to_bytes(8, "little"))
        return data


class StreamReader:
    """Events of a stream that comes in pieces of any size.

    Attributes:
        ended: END has come, and agrees with everything before.
    """

    def __init__(self) -> None:
        self.ended = False
        self._decoder = Decoder()
        self._order = xxhash.xxh3_64()
        self._began = False
        self._next = 0
        self._open = False
        self._bytes = 0

    def feed(self, data: Buffer) -> Iterator[Event]:
        """The events that are complete with ``data``.

        Raises:
            InvalidData: The stream breaks its law; of no use from here on.
            MaruError: What FAULT says.
        """
        for frame in self._decoder.feed(data):
            event = self._event(frame)
            self._order.update(frame.sum.to_bytes(8, "little"))
            if event is not None:
                yield event

    def _event(self, frame: Frame) -> Event | None:
        if self.ended or self._began == (frame.kind is Kind.BEGIN):
            raise InvalidData(f"a frame {frame.kind.name} stands where none may stand.")
        if frame.kind is Kind.BEGIN:
            self._began = True
            return Begin(_begin(frame.text))
        if frame.kind is Kind.SAMPLES:
            return Samples(frame.text)
        if frame.kind is Kind.WINDOW:
            return self._window(frame)
        if frame.kind is Kind.FAULT:
            raise fault.decode(frame.text)
        self._end(frame.text)
        return None

    def _window(self, frame: Frame) -> Window:
        if frame.is_plain and not self._open:
            return self._plain_window(frame)
        rows = frame.rows
        last = (rows["flags"] & MORE) == 0
        starts = np.concatenate(([0], np.cumsum(last)))
        expected = starts[:-1] + self._next
        if not np.array_equal(rows["item"], expected.astype(np.uint64)):
            raise InvalidData("items of a stream are out of order.")
        pieces = frame.checked_pieces()
        whole = len(pieces) == len(rows) and bool(last.all()) and not self._open
        parts: list[memoryview | MaruError] = [*pieces]
        if len(pieces) < len(rows):
            parts = _with_errors(frame, pieces)
        self._next += int(starts[-1])
        if len(rows):
            self._open = not bool(last[-1])
        self._bytes += len(frame.payload)
        ends = np.cumsum(np.where(rows["status"] == OK, rows["length"], 0), dtype=np.int64).tolist()
        return Window(rows["item"].tolist(), parts, (~last).tolist(), whole, frame.payload, ends)

    def _plain_window(self, frame: Frame) -> Window:
        """As :meth:`_window`, of rows that are whole items: with few steps a window."""
        items = frame.rows["item"].tolist()
        following = self._next + len(items)
        if items != list(range(self._next, following)):
            raise InvalidData("items of a stream are out of order.")
        pieces = frame.checked_pieces()
        self._next = following
        self._bytes += len(frame.payload)
        ends = list(accumulate(map(len, pieces)))
        return Window(items, [*pieces], [False] * len(items), True, frame.payload, ends)

    def _end(self, text: bytes) -> None:
        told = {"items": self._next, "bytes": self._bytes, "order": f"{self._order.intdigest():016x}"}
        if self._open or fault.decode_json(text) != told:
            raise InvalidData("the end of a stream does not fit what came before.")
        self.ended = True


def _with_texts(rows: RowTable, parts: Sequence[Buffer | MaruError]) -> tuple[RowTable, bytes]:
    """``rows`` filled in, and the texts of those that failed."""
    texts: list[bytes] = []
    rows["status"] = OK
    for i, part in enumerate(parts):
        if isinstance(part, MaruError):
            texts.append(fault.encode(part))
            rows[i] = (rows["item"][i], 0, len(texts[-1]), fault.status_of(part), 0)
        else:
            rows["length"][i] = len(part)
    return rows, b"".join(texts)


def _with_errors(frame: Frame, pieces: list[memoryview]) -> list[memoryview | MaruError]:
    good, failed = iter(pieces), iter(frame.texts())
    statuses = frame.rows["status"].tolist()
    return [next(good) if status == OK else fault.decode(next(failed)) for status in statuses]


def _begin(text: bytes) -> dict[str, Any]:
    about = fault.decode_json(text)
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise InvalidData(f"the stream is not of format {FORMAT}.", hint="Upgrade the older end.")
    return about


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
