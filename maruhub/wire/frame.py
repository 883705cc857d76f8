"""Frames: bytes to values and back. ``docs/format-batch.md`` has the tables.

This file knows no order of frames and no request; it refuses whatever is not one whole,
consistent frame, whoever sent it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate, pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import xxhash

from maruhub.errors import InvalidData

Buffer = bytes | bytearray | memoryview

MAGIC: Final = b"MARUFRM1"
ROWS_MAX: Final = 1 << 16
TEXT_MAX: Final = 64 << 20
PAYLOAD_MAX: Final = 64 << 20
OK: Final = 200
MORE: Final = 1

ROW_DTYPE: Final = np.dtype(
    [("item", "<u8"), ("sum", "<u8"), ("length", "<u4"), ("status", "<u2"), ("flags", "<u2")]
)
RowTable = npt.NDArray[np.void]
"""``ROW_DTYPE[n]``."""

# Status and flags of a row are one word where the table is read as words: of a plain row it is OK.
_ROW_WORDS: Final = ROW_DTYPE.itemsize // 4
_STATE_WORD: Final = 5

_HEAD: Final = struct.Struct("<8sB3xIII")
_SUM: Final = struct.Struct("<Q")
HEAD_BYTES: Final = _HEAD.size + _SUM.size
NO_ROWS: Final[RowTable] = np.empty(0, ROW_DTYPE)


class Kind(IntEnum):
    """What a frame is."""

    BEGIN = 1
    SAMPLES = 2
    WINDOW = 3
    END = 4
    FAULT = 5


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame whose head, table and text are right; its payload is not summed yet.

    Attributes:
        kind: What it is.
        rows: ``ROW_DTYPE[n]``; lengths of good rows add up to the payload, of failed ones to the text.
        text: JSON, Arrow, or the texts of failed rows back to back.
        payload: The rows' bytes back to back; a view that keeps what was received alive.
        sum: Of head, table and text.
        is_plain: Every row is an item of its own, with its bytes: nearly every window is like that.
    """

    kind: Kind
    rows: RowTable
    text: bytes
    payload: memoryview
    sum: int
    is_plain: bool = False

    def pieces(self) -> list[memoryview]:
        """The bytes of the good rows, in order, not summed."""
        ends = [0, *accumulate(self._good_rows()["length"].tolist())]
        payload = self.payload
        return [payload[lo:hi] for lo, hi in pairwise(ends)]

    def texts(self) -> list[bytes]:
        """The texts of the failed rows, in order."""
        ends = np.cumsum(self.rows["length"][self.rows["status"] != OK], dtype=np.int64).tolist()
        return [self.text[lo:hi] for lo, hi in zip([0, *ends[:-1]], ends, strict=True)] if ends else []

    def checked_pieces(self) -> list[memoryview]:
        """As :meth:`pieces`; raises InvalidData where bytes have another sum than their row says."""
        pieces = self.pieces()
        sums = self._good_rows()["sum"].tolist()
        digest = xxhash.xxh3_64_intdigest
        for i, (piece, wanted) in enumerate(zip(pieces, sums, strict=True)):
            if digest(piece) != wanted:
                raise InvalidData(f"row {i} of a frame has another checksum than its bytes.")
        return pieces

    def _good_rows(self) -> RowTable:
        return self.rows if self.is_plain else self.rows[self.rows["status"] == OK]


def encode(kind: Kind, *, rows: RowTable = NO_ROWS, text: bytes = b"") -> tuple[bytes, int]:
    """A frame without a payload, in one piece, and its sum."""
    buffers, digest = encode_apart(kind, rows=rows, text=text)
    return b"".join(buffers), digest


def encode_apart(
    kind: Kind, *, rows: RowTable = NO_ROWS, text: bytes = b"", payload: Sequence[Buffer] = ()
) -> tuple[list[Buffer], int]:
    """A frame as buffers to be sent back to back, and its sum; nothing of ``payload`` is copied."""
    size = sum(map(len, payload))
    assert len(rows) <= ROWS_MAX, "too many rows for a frame"
    assert max(len(text), size) <= min(TEXT_MAX, PAYLOAD_MAX), "too many bytes for a frame"
    head = _HEAD.pack(MAGIC, kind, len(rows), len(text), size)
    table = rows.tobytes()
    digest = _sum_of(head, table, text)
    return [b"".join([head, _SUM.pack(digest), table, text]), *payload], digest


class Decoder:
    """Frames of a stream that comes in pieces of any size. Holds at most one frame's bytes.

    A piece that holds whole frames is not copied: their payloads are views of it.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._wanted = HEAD_BYTES

    @property
    def is_between(self) -> bool:
        """Whether no frame has begun that is not complete."""
        return not self._held

    def feed(self, data: Buffer) -> Iterator[Frame]:
        """The frames that are complete with ``data``, which is not to be changed after.

        Raises:
            InvalidData: This is no frame; the stream is of no use from here on.
        """
        view = memoryview(data)
        while len(view):
            if not self._held:
                size = frame_bytes(view) if len(view) >= HEAD_BYTES else HEAD_BYTES
                if len(view) >= size:
                    yield decode(view[:size])
                    view = view[size:]
                    continue
                self._wanted = size
            taken = view[: self._wanted - len(self._held)]
            self._held += taken
            view = view[len(taken) :]
            yield from self._complete()

    def _complete(self) -> Iterator[Frame]:
        if len(self._held) < self._wanted:
            return
        self._wanted = frame_bytes(self._held)
        if len(self._held) == self._wanted:
            whole, self._held, self._wanted = self._held, bytearray(), HEAD_BYTES
            yield decode(memoryview(whole))


def frame_bytes(head: Buffer) -> int:
    """How long the frame is that begins with ``head``, of at least ``HEAD_BYTES``.

    Raises:
        InvalidData: It is no head of a frame, or its sizes are beyond the bounds.
    """
    magic, kind, rows, text, payload = _HEAD.unpack_from(head)
    if magic != MAGIC or any(head[9:12]):
        raise InvalidData("this is no frame of the batch door.")
    bare = kind != Kind.WINDOW and (rows or payload)
    if not Kind.BEGIN <= kind <= Kind.FAULT or bare:
        raise InvalidData(f"a frame of kind {kind} with {rows} rows and {payload} bytes is not known.")
    if rows > ROWS_MAX or text > TEXT_MAX or payload > PAYLOAD_MAX:
        raise InvalidData(f"a frame of {rows} rows, {text} and {payload} bytes is too large.")
    return int(HEAD_BYTES + rows * ROW_DTYPE.itemsize + text + payload)


def decode(view: memoryview) -> Frame:
    """One whole frame; its payload is a part of ``view``.

    Raises:
        InvalidData: Its sum is wrong, or its table does not fit its sizes.
    """
    _, kind, count, text_bytes, _ = _HEAD.unpack_from(view)
    (digest,) = _SUM.unpack_from(view, _HEAD.size)
    text_at = HEAD_BYTES + count * ROW_DTYPE.itemsize
    payload_at = text_at + text_bytes
    table, text = view[HEAD_BYTES:text_at], bytes(view[text_at:payload_at])
    if _sum_of(view[: _HEAD.size], table, text) != digest:
        raise InvalidData("a frame's head or table has another checksum than it says.")
    rows = np.frombuffer(table, ROW_DTYPE) if count else NO_ROWS
    plain = count > 0 and bool((np.frombuffer(table, "<u4")[_STATE_WORD::_ROW_WORDS] == OK).all())
    frame = Frame(Kind(kind), rows, text, view[payload_at:].toreadonly(), digest, plain)
    if frame.kind is Kind.WINDOW:
        _check_table(frame)
    return frame


def _check_table(frame: Frame) -> None:
    rows = frame.rows
    if frame.is_plain:
        if int(rows["length"].sum(dtype=np.int64)) != len(frame.payload) or frame.text:
            raise InvalidData("a frame's table does not fit its bytes.")
        return
    good = rows["status"] == OK
    failed = ~good
    lengths = rows["length"].astype(np.int64)
    if (
        int(lengths[good].sum()) != len(frame.payload)
        or int(lengths[failed].sum()) != len(frame.text)
        or bool((rows["status"][failed] < 400).any())
        or bool((rows["flags"] > np.where(good, MORE, 0)).any())
    ):
        raise InvalidData("a frame's table does not fit its bytes.")


def _sum_of(head: Buffer, table: Buffer, text: Buffer) -> int:
    state = xxhash.xxh3_64(head)
    state.update(table)
    state.update(text)
    return state.intdigest()
