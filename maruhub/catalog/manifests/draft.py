"""The next version in the making: fragments appended, root and digest computed.

Nothing here is visible to anyone until the ledger publishes it; a draft that lost the race
for the next number leaves appended bytes that no row names, and disclaims them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from maruhub.catalog.manifests.column_group import ColumnGroup, RowArray
from maruhub.catalog.manifests.digest import column_digest, version_digest
from maruhub.catalog.manifests.fragment import FRAGMENT_ROWS, Fragment, write_fragment, write_table
from maruhub.catalog.manifests.root import BASE, REMOVALS, Column, Group, Piece, Root
from maruhub.catalog.row import LabelRow, fragment_key
from maruhub.errors import MaruError
from maruhub.store.protocol import Store

if TYPE_CHECKING:
    import pyarrow as pa

DIGESTED = ("id", "sha256")
"""Columns of the base that a version's digest is made of, before attributes and labels."""


@dataclass(slots=True)
class Draft:
    """What publishing needs."""

    root: Root
    digest: str
    fragments: list[Fragment]
    message: str = ""
    sources: tuple[str, ...] = ()
    labels: tuple[str, int, LabelRow] | None = None
    """Label set, revision, row."""
    appended_bytes: int = field(default=0)
    basis: int = 0
    """The version that it goes on from; 0: none."""
    snapshot: int = 0
    """The counter before anything was read for it: what it points to was alive then."""

    def fragment_bytes(self) -> int:
        """Bytes of the fragments that were new."""
        return sum(f.size_bytes for f in self.fragments if f.blob is not None)

    def disclaim(self, store: Store) -> None:
        """Lets go of what was appended for it and no row names: all, if it isn't published."""
        disclaim_unnamed(store, self.fragments)


def disclaim_unnamed(store: Store, fragments: Iterable[Fragment]) -> None:
    """Says of fragments that no row names that none ever will.

    Their segments could not be sealed, and nothing in them freed, for as long as this process lives.
    Whoever gives up has mostly an error to tell of: this raises none.
    """
    mine = [(fragment_key(fragment.id), fragment.blob) for fragment in fragments if fragment.blob is not None]
    with contextlib.suppress(MaruError):
        rows = store.get_many([key for key, _ in mine])
        for (_, blob), row in zip(mine, rows, strict=True):
            # Another commit may have brought the same fragment meanwhile, or this one twice.
            if row is None or row.extents != blob:
                store.disclaim(blob)


class GroupWriter:
    """Writes pieces of groups and remembers the fragments."""

    def __init__(self, store: Store) -> None:
        self.fragments: list[Fragment] = []
        self._store = store

    @contextlib.contextmanager
    def drafting(self) -> Iterator[None]:
        """While a draft is made; what was written for one that comes to nothing is let go of."""
        try:
            yield
        except BaseException:
            disclaim_unnamed(self._store, self.fragments)
            raise

    def write(self, kind: str, table: pa.Table) -> list[Piece]:
        """A table as pieces of at most ``FRAGMENT_ROWS`` rows; an empty one as an empty piece."""
        pieces = []
        for at in range(0, max(table.num_rows, 1), FRAGMENT_ROWS):
            part = table.slice(at, FRAGMENT_ROWS)
            fragment = write_table(self._store, kind, part, segments=_segments(part))
            self.fragments.append(fragment)
            pieces.append(Piece(fragment.id, part.num_rows))
        return pieces

    def extend(
        self, kind: str, before: ColumnGroup | None, tail: pa.Table, *, start: int
    ) -> tuple[Piece, ...]:
        """The pieces of ``before`` and then ``tail``, which begins at row ``start``.

        Small last pieces are written again together with the tail, so that n commits leave
        log n pieces and not n.
        """
        pieces = list(before.group.pieces) if before else []
        rest = start - sum(piece.rows for piece in pieces)
        if rest:
            pieces.append(Piece(None, rest))
        pending = tail.num_rows
        while before and pieces and pieces[-1].rows < FRAGMENT_ROWS and pieces[-1].rows <= 2 * pending:
            pending += pieces.pop().rows
        if before and pending > tail.num_rows:
            tail = _behind(before, start - (pending - tail.num_rows), start, tail)
        if not tail.num_rows and any(piece.fragment for piece in pieces):
            return tuple(pieces)
        return (*pieces, *self.write(kind, tail))

    def write_removals(self, removed: npt.NDArray[np.bool_]) -> str:
        """The bitmap as a fragment; its name."""
        self.fragments.append(write_fragment(self._store, REMOVALS, len(removed), removal_bits(removed)))
        return self.fragments[-1].id


def _behind(group: ColumnGroup, begin: int, end: int, tail: pa.Table) -> pa.Table:
    """Rows ``begin`` … ``end`` of a group, then ``tail``; a column that one lacks is null there."""
    import pyarrow as pa

    kept = pa.table({name: group.column(name).slice(begin, end - begin) for name in group.names})
    return pa.concat_tables([kept, tail], promote_options="default")


def _segments(table: pa.Table) -> list[int]:
    """Segments that a table's blobs point into, ascending."""
    if "blob" not in table.column_names:
        return []
    found: set[int] = set()
    for chunk in table.column("blob").chunks:
        found.update(np.unique(chunk.flatten().field("segment").to_numpy()).tolist())
    return sorted(found)


def columns_of(table: pa.Table) -> tuple[Column, ...]:
    """How a root names a table's columns."""
    return tuple(Column(field.name, str(field.type)) for field in table.schema)


ColumnSource = Callable[[Group, str], Iterable[Any]]
"""A column's arrays over all positions of the version in the making, in order."""


def digest_of(groups: Sequence[Group], source: ColumnSource, removals: bytes, positions: int) -> str:
    """The digest of a version with these groups; ``removals`` is its bitmap (empty: none)."""
    digests = []
    for group in groups:
        names = DIGESTED if group.kind == BASE else [column.name for column in group.columns]
        digests += [column_digest(name, source(group, name)) for name in names]
    return version_digest(positions, removals, digests)


def removal_bits(removed: npt.NDArray[np.bool_] | None) -> bytes:
    """The bitmap of removed rows, bit i of byte j for row 8 j + i; empty if none is removed."""
    if removed is None or not removed.any():
        return b""
    return np.packbits(removed, bitorder="little").tobytes()


def group_id(group: Group) -> str:
    """A key for a group within a root."""
    return f"{group.kind}/{group.name}"


def spread(taken: pa.Array, places: RowArray, length: int) -> pa.Array:
    """``length`` values, null but at ``places``, where those of ``taken`` stand."""
    import pyarrow as pa

    source = np.full(length, -1, dtype=np.int64)
    source[places] = np.arange(len(places))
    return taken.take(pa.array(source, mask=source < 0))
