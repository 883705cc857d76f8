"""Sources of samples laid end to end: one source, whose rows know which part they are of."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from maruhub.errors import InvalidInput, MaruError
from maruhub.loaders.ahead import take_blobs
from maruhub.store.format.extent import Blobs

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.loaders.permutation import Positions
    from maruhub.loaders.source import SampleSource

PARTS_ELSEWHERE_MAX: Final = 64
"""Views that a hub elsewhere lays end to end: each is opened there, and searched if it is a part of a version."""
_TAG: Final = b"maruhub mix 1\0"
_NO_COLUMN: Final = ""

Indices = npt.NDArray[np.int64]


class Named(Protocol):
    """A sequence of samples that have names."""

    @property
    def digest(self) -> str: ...

    def __len__(self) -> int: ...

    def ids(self, rows: Positions) -> list[str]:
        """The ids of rows."""

    def columns(self, rows: Positions) -> pa.Table:
        """Labels and attributes of rows."""


P = TypeVar("P", bound=Named)
T = TypeVar("T")


class EndToEnd(Generic[P]):
    """Sources laid end to end, here or elsewhere: row r of part i is the row ``starts[i] + r``."""

    def __init__(self, parts: Sequence[P]) -> None:
        self.parts = list(parts)
        self.part_sizes = tuple(len(part) for part in self.parts)
        self.starts = np.concatenate(([0], np.cumsum(self.part_sizes))).astype(np.uint64)

    @property
    def digest(self) -> str:
        """Of the parts' digests, in order."""
        return hashlib.sha256(_TAG + "\n".join(part.digest for part in self.parts).encode()).hexdigest()

    def __len__(self) -> int:
        return int(self.starts[-1])

    def part_of(self, rows: Positions) -> Indices:
        """Which part each row is of, such as of ``batch.positions``."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    def ids(self, rows: Positions) -> list[str]:
        """See ``SampleSource``."""
        return self._gathered(rows, lambda part, own: part.ids(own))

    def columns(self, rows: Positions) -> pa.Table:
        """See ``SampleSource``. What a part doesn't have is null in its rows."""
        shares = list(self._shares(rows))
        if not shares:
            return self._schema.empty_table()
        tables = [_told(part.columns(own), len(own)) for part, _, own in shares]
        return (
            _concat(tables, self._schema).take(_back([at for _, at, _ in shares])).select(self._schema.names)
        )

    def read_many(self, rows: Positions, *, announce: bool = True) -> list[memoryview | MaruError]:
        """See ``View.read_many``, if the parts are views: one call for the rows of each."""
        return self._gathered(
            rows,
            lambda part, own: part.read_many(own, announce=announce),  # type: ignore[attr-defined]
        )

    def sizes(self, rows: Positions | None = None) -> Indices:
        """See ``View.sizes``, if the parts are views."""
        if rows is None:
            rows = np.arange(len(self), dtype=np.uint64)
        found = self._gathered(rows, lambda part, own: part.sizes(own).tolist())  # type: ignore[attr-defined]
        return np.array(found, dtype=np.int64)

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Columns of all rows, in order, if the parts are views."""
        return _concat([part.table(columns) for part in self.parts])  # type: ignore[attr-defined]

    def _gathered(self, rows: Positions, ask: Callable[[P, Positions], Sequence[T]]) -> list[T]:
        """What each part says of its rows, in the order of ``rows``."""
        found: dict[int, T] = {}
        for part, at, own in self._shares(rows):
            found.update(zip(at.tolist(), ask(part, own), strict=True))
        return [found[i] for i in range(len(rows))]

    @functools.cached_property
    def _schema(self) -> pa.Schema:
        """Of all parts together; raises InvalidInput for columns that go into no one."""
        none = np.empty(0, dtype=np.uint64)
        return _concat([part.columns(none) for part in self.parts]).schema

    def _shares(self, rows: Positions) -> Iterator[tuple[P, Indices, Positions]]:
        """Each part that has some of ``rows``: at which places, and which of its own."""
        rows = np.asarray(rows).astype(np.uint64, copy=False)  # a signed one less an unsigned is no number
        if len(rows) and rows.max() >= len(self):
            raise InvalidInput(f"there is no row {rows.max()} among {len(self)}.")
        parts = self.part_of(rows)
        for i in np.unique(parts).tolist():
            at = np.flatnonzero(parts == i)
            yield self.parts[i], at, rows[at] - self.starts[i]


class Joined(EndToEnd["SampleSource"]):
    """Sources laid end to end as one.

    As safe from threads as its parts are.
    """

    def __init__(self, parts: Sequence[SampleSource]) -> None:
        super().__init__(parts)
        self._schema  # noqa: B018 - so that columns that don't go together are told now

    def blobs(self, rows: Positions) -> Blobs:
        """See ``SampleSource``."""
        shares = list(self._shares(rows))
        if not shares:
            return Blobs.of([])
        found = [part.blobs(own) for part, _, own in shares]
        counts = np.concatenate([np.diff(each.starts) for each in found])
        starts = np.concatenate(([0], np.cumsum(counts)))
        together = Blobs(np.concatenate([each.extents for each in found]), starts)
        return take_blobs(together, _back([at for _, at, _ in shares]))


def _back(places: Sequence[Indices]) -> Indices:
    """Indices that put what was taken part by part back into its places."""
    taken = np.concatenate(places)
    back = np.empty(len(taken), dtype=np.int64)
    back[taken] = np.arange(len(taken))
    return back


def _told(table: pa.Table, rows: int) -> pa.Table:
    """The same table; one without columns with its number of rows, which Arrow loses on the way."""
    import pyarrow as pa

    return table if table.num_columns else pa.table({_NO_COLUMN: pa.nulls(rows)})


def _concat(tables: Sequence[pa.Table], schema: pa.Schema | None = None) -> pa.Table:
    import pyarrow as pa

    try:
        if schema is None:
            return pa.concat_tables(tables, promote_options="permissive")
        empty = schema.empty_table()
        return pa.concat_tables([empty, *tables], promote_options="permissive")
    except pa.ArrowException as error:
        raise InvalidInput(
            f"a column of the views to mix has different types: {error}",
            hint="Leave one of them out, or label it again with `types=`.",
        ) from error
