"""Runs as frames: announced, read by place, and sent as they were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from maruhub.errors import MaruError
from maruhub.gateway.answer import Gathered
from maruhub.gateway.batch.located import Piece, Pieces, Run
from maruhub.loaders.ahead import read_ahead
from maruhub.loaders.stats import Meter
from maruhub.wire import fault
from maruhub.wire.frame import MORE, Buffer, RowTable
from maruhub.wire.stream import StreamWriter

if TYPE_CHECKING:
    from maruhub.store.protocol import Store

Parts = list[memoryview | MaruError]


def read_pieces(
    store: Store, runs: Iterator[Run], *, verify: bool = True
) -> Iterator[tuple[Piece, RowTable, Parts]]:
    """Every piece with its table and what was read for it; its bytes are checked only with ``verify``.

    What belongs to an item after its error is left out, so an error is its item's last row.
    """
    pieces = Pieces(runs)
    dead: int | None = None
    for piece, read in read_ahead(store, iter(pieces), window=pieces.window, meter=Meter(), verify=verify):
        table, parts = piece.table, read
        if piece.run.faults:
            parts = _with_faults(piece, parts)
        if dead is not None or fault.any_failed(parts):
            table, parts, dead = _without_dead(table, parts, dead)
        yield piece, table, parts


def _with_faults(piece: Piece, parts: Parts) -> Parts:
    faults, items = piece.run.faults, (piece.table["item"].astype(np.int64) - piece.base).tolist()
    return [faults.get(item, part) for item, part in zip(items, parts, strict=True)]


def _without_dead(table: RowTable, parts: Parts, dead: int | None) -> tuple[RowTable, Parts, int | None]:
    kept: list[int] = []
    for i, (item, flags, part) in enumerate(
        zip(table["item"].tolist(), table["flags"].tolist(), parts, strict=True)
    ):
        if item != dead:
            kept.append(i)
        if isinstance(part, MaruError) and flags & MORE:
            dead = item
    return table[kept], [parts[i] for i in kept], dead


def frames(store: Store, runs: Iterator[Run], about: dict[str, Any], *, verify: bool = True) -> Gathered:
    """The answer to a read: a whole stream, a frame a piece.

    The sums in it are those of the store either way: without ``verify`` whoever receives it finds out first.
    """
    return Gathered(_frames(store, runs, about, verify=verify))


def _frames(
    store: Store, runs: Iterator[Run], about: dict[str, Any], *, verify: bool
) -> Iterator[list[Buffer]]:
    """Frames as buffers: what was read is sent from where it lies.

    An error that is not one item's ends it as a FAULT; the client hears why.
    """
    writer = StreamWriter()
    yield [writer.begin(about)]
    try:
        for piece, table, parts in read_pieces(store, runs, verify=verify):
            if piece.lo == 0 and piece.run.arrow is not None:
                yield [writer.samples(piece.run.arrow)]
            if parts:
                yield writer.window_apart(table, parts)
    except MaruError as error:
        yield [writer.fault(error)]
        return
    yield [writer.end()]
