"""Runs as a tar archive (POSIX.1-2001, pax), for those who have no reader of frames."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from maruhub.errors import Corrupt, MaruError
from maruhub.gateway.answer import Gathered
from maruhub.gateway.batch.framing import Parts, read_pieces
from maruhub.gateway.batch.located import Piece, Run
from maruhub.namespace.paths import key_to_path
from maruhub.wire import fault
from maruhub.wire.frame import MORE, Buffer, RowTable

if TYPE_CHECKING:
    from maruhub.store.protocol import Store

FAILED: Final = ".maruhub-failed.jsonl"


def archive(store: Store, runs: Iterator[Run], *, mtime: int) -> Gathered:
    """The answer to a read as an archive; ``mtime`` is every member's, seconds since 1970.

    A member's size stands before its bytes: an item that fails behind its beginning ends the
    connection, since nothing in an archive could say so.
    """
    return Gathered(_archive(store, runs, _Members(mtime)))


def _archive(store: Store, runs: Iterator[Run], members: _Members) -> Iterator[list[Buffer]]:
    """Heads and padding between bytes that are sent from where they lie.

    The first head comes alone: what goes straight does so behind something small.
    """
    has_begun = False
    for piece, table, parts in read_pieces(store, runs):
        buffers = [each for each in members.of(piece, table, parts) if each]
        if buffers and not has_begun:
            has_begun = True
            yield buffers[:1]
            buffers = buffers[1:]
        if buffers:
            yield buffers
    yield [members.end()]


class _Members:
    """Members in the making, and what failed."""

    def __init__(self, mtime: int) -> None:
        self._mtime = mtime
        self._failed: list[str] = []
        self._run: Run | None = None
        self._names: list[str] = []
        self._sizes: list[int] = []
        self._left = 0
        self._padding = 0

    def of(self, piece: Piece, table: RowTable, parts: Parts) -> Iterator[Buffer]:
        """The bytes of a piece's rows, with the heads of the members that begin in it."""
        if piece.run is not self._run:
            self._run, self._names, self._sizes = (
                piece.run,
                piece.run.names(),
                piece.run.blobs.sizes().tolist(),
            )
        items, flags = (table["item"] - piece.base).tolist(), table["flags"].tolist()
        for item, flag, part in zip(items, flags, parts, strict=True):
            if isinstance(part, MaruError):
                self._fail(self._names[item], part)
                continue
            if not self._left:
                self._left = self._sizes[item]
                self._padding = -self._left % tarfile.BLOCKSIZE
                yield self._head(self._names[item], self._left)
            self._left -= len(part)
            yield part
            if not flag & MORE:
                yield bytes(self._padding)

    def end(self) -> bytes:
        """What failed, and the archive's end."""
        text = "".join(self._failed).encode()
        parts = [self._head(FAILED, len(text)), text, bytes(-len(text) % tarfile.BLOCKSIZE)] if text else []
        return b"".join([*parts, bytes(2 * tarfile.BLOCKSIZE)])

    def _fail(self, name: str, error: MaruError) -> None:
        if self._left:
            raise Corrupt(f"{name} can't be read to its end: {error.what}", hint=error.hint)
        self._failed.append(json.dumps({"name": name, **fault.to_json(error)}) + "\n")

    def _head(self, name: str, size: int) -> bytes:
        member = tarfile.TarInfo(name if name == FAILED else key_to_path(name))
        member.size, member.mtime = size, self._mtime
        return member.tobuf(tarfile.PAX_FORMAT)
