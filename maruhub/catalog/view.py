"""A view: a version restricted, sorted or drawn from, without a copied byte.

A view is (version, positions, digest). Its rows are numbered 0 … len - 1; what they are is
looked up in the version's mapped fragments. Views are cheap, frozen, and safe from many
threads and after a fork.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from maruhub import argument
from maruhub.catalog import drawing, query
from maruhub.catalog.manifests.column_group import RowArray
from maruhub.catalog.manifests.digest import view_digest
from maruhub.catalog.manifests.manifest import INTERNAL, Manifest
from maruhub.catalog.positions import MappedPositions
from maruhub.catalog.split import SplitRule, check_split, group_hashes
from maruhub.errors import InvalidInput, MaruError
from maruhub.store.format.extent import Blobs

if TYPE_CHECKING:
    import pyarrow as pa

Positions = npt.NDArray[np.uint64]
"""``uint64[n]``: positions in a version's row space."""

Rows = npt.NDArray[Any] | Sequence[int] | None
"""Rows of a view, 0 … len - 1; None is all of them."""


class Home(Protocol):
    """What a view asks of the dataset it belongs to."""

    @property
    def split_key(self) -> int:
        """The pool's key of the split."""

    def split_rule(self, fractions: Sequence[float] | None, group: str | None) -> SplitRule:
        """The dataset's rule, fixed by its first use; raises Refused if another is asked for."""

    def save_view(self, view: View) -> None:
        """Keeps a view under its digest."""

    def open_version(self, number: int) -> View:
        """One of its versions."""

    def open_view(self, digest: str) -> View:
        """One of its saved views, its positions mapped; raises NotFound."""

    def read_many(self, blobs: Blobs, *, announce: bool = True) -> list[memoryview | MaruError]:
        """Bytes, in their order, each checked against its sum."""

    @property
    def loader(self) -> Callable[..., Any] | None:
        """Makes batches of a view; the catalog itself knows no loader."""


class View:
    """Rows of one version. Made by a version or another view, never by hand.

    Args:
        manifest: The open version.
        version_digest: Its digest.
        home: Its dataset.
        positions: ``uint64[n]``; None: all live rows.
        is_split: The split that all rows belong to, if they do.
        saved_as: The digest under which it was found, if it was saved.
    """

    def __init__(
        self,
        manifest: Manifest,
        version_digest: str,
        home: Home,
        *,
        positions: Positions | MappedPositions | None = None,
        is_split: str | None = None,
        saved_as: str | None = None,
    ) -> None:
        self.manifest = manifest
        self.version_digest = version_digest
        self.is_split = is_split
        self._home = home
        self._positions: Positions | None = None
        self._mapped: MappedPositions | None = None
        if isinstance(positions, MappedPositions):
            self._mapped = positions
        else:
            self._positions = positions
        self._is_saved = saved_as is not None
        if saved_as is not None:
            self.digest = saved_as
        if self._positions is not None:
            self._positions.flags.writeable = False

    def __reduce__(self) -> tuple[Any, ...]:
        # Into another process go a version's number and positions; no row and no mapping does. Of a
        # saved view its digest is enough: all processes map the same positions.
        if self._is_saved:
            return _reopen_saved, (self._home, self.digest, self.is_split)
        return _reopen, (self._home, self.manifest.root.version, self._positions, self.is_split)

    @property
    def dataset_name(self) -> str:
        """The dataset."""
        return self.manifest.root.dataset

    @property
    def version_name(self) -> str:
        """The version: ``v3``."""
        return f"v{self.manifest.root.version}"

    @property
    def home(self) -> Home:
        """The dataset it belongs to."""
        return self._home

    @property
    def positions(self) -> Positions | None:
        """Positions in the version's row space, read-only; None: all live rows, in order."""
        return self._positions if self._mapped is None else self._mapped.whole()

    @property
    def mapped(self) -> MappedPositions | None:
        """The positions as they are mapped, if this view was saved."""
        return self._mapped

    def __len__(self) -> int:
        if self._mapped is not None:
            return len(self._mapped)
        return self.manifest.root.rows if self._positions is None else len(self._positions)

    @cached_property
    def digest(self) -> str:
        """What is in it, in which order: 64 hex digits; of all live rows: the version's own."""
        positions = self.positions
        if positions is None or self._is_whole():
            return self.version_digest
        return view_digest(self.version_digest, positions)

    @property
    def column_names(self) -> list[str]:
        """Columns of :meth:`table`."""
        return [name for name in self.manifest.names if name not in INTERNAL]

    # -- rows

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows as a table; all live rows of an unbroken version without a copy.

        ``root_hash`` and ``blob`` are in it only if they are named.
        """
        wanted = None if columns is None else argument.texts("columns", columns)
        names = self.column_names if wanted is None else [self.manifest.resolve(name) for name in wanted]
        return self.manifest.table(names, self._all())

    def ids(self, rows: Rows = None) -> list[str]:
        """Ids, ``bucket/key``."""
        return self.manifest.ids(self._absolute(rows))

    def blobs(self, rows: Rows = None) -> Blobs:
        """Addresses of the bytes; the arrays are the caller's."""
        return self.manifest.blobs(self._absolute(rows))

    def columns(self, rows: Rows = None) -> pa.Table:
        """Attributes and labels, a row a sample."""
        import pyarrow as pa

        absolute = self._absolute(rows)
        names = self.manifest.user_names
        if not names:
            return pa.table({"": pa.nulls(len(absolute))}).select([])
        return self.manifest.table(names, absolute)

    def sha256(self, rows: Rows = None) -> npt.NDArray[np.uint8]:
        """SHA-256 of the bytes, ``uint8[m, 32]``."""
        return self.manifest.sha256(self._absolute(rows))

    def root_hash(self, rows: Rows = None) -> npt.NDArray[np.uint64]:
        """The pool's keyed hash of each sample's root id, ``uint64[m]``."""
        return self.manifest.numbers("root_hash", self._absolute(rows))

    def sizes(self, rows: Rows = None) -> npt.NDArray[np.int64]:
        """Bytes of each sample, ``int64[m]``."""
        return self.manifest.numbers("size", self._absolute(rows))

    def read_many(self, rows: Rows = None, *, announce: bool = True) -> list[memoryview | MaruError]:
        """The bytes of rows, in their order; an unreadable one's error in its place.

        Read-only views, checked in this very call, that live as long as they are held. For
        whoever knows no order: :meth:`batches` reads ahead. ``announce=False`` saves asking what
        of them is in memory, where somebody has just read them.
        """
        return self._home.read_many(self.blobs(rows), announce=announce)

    # -- views of it

    def select(self, positions: Rows) -> View:
        """The view of some of its rows (0 … len - 1), in the order given."""
        return self._of(self._absolute(positions).astype(np.uint64))

    def where(self, expression: str) -> View:
        """The rows for which an SQL expression over the columns is true, in this order.

        Raises:
            InvalidInput: the expression is wrong; the message is DuckDB's.
        """
        argument.text("an expression", expression, hint="Such as: where(\"label = 'cat'\")")

        everything, names, shown = self._all(), self.manifest.names, self.column_names

        def part(columns: list[str], begin: int, end: int) -> pa.Table:
            if everything is None:
                return self.manifest.table(columns or ["id"]).slice(begin, end - begin)
            return self.manifest.table(columns or ["id"], everything[begin:end])

        return self.select(query.matching(expression, names, part, rows=len(self), shown=shown))

    def sample(self, n: int, seed: int = 0) -> View:
        """``n`` rows drawn by a keyed hash, in this view's order.

        The same seed draws the same rows in every release; a larger ``n`` draws these too.
        """
        everything = self._absolute(None).astype(np.uint64)
        return self.select(drawing.draw(everything, n, seed))

    def sort(self, column: str, *, descending: bool = False) -> View:
        """Sorted by a column, nulls last; equal values keep this view's order."""
        import pyarrow as pa
        import pyarrow.compute as pc

        name = self.manifest.resolve(column)
        values = self.manifest.table([name], self._all()).column(0)
        table = pa.table({"value": values, "row": np.arange(len(self))})
        keys = [("value", "descending" if descending else "ascending"), ("row", "ascending")]
        try:
            order = pc.sort_indices(table, sort_keys=keys)
        except pa.ArrowException as error:
            raise InvalidInput(f"column {column!r} can't be sorted: {error}") from error
        return self.select(order.to_numpy())

    def split(self, name: str, fractions: Sequence[float] | None = None, group: str | None = None) -> View:
        """The rows of ``train``, ``validation`` or ``test``.

        The first split of a dataset fixes its rule for everybody (fractions 0.8, 0.1, 0.1
        unless given); another rule is refused until ``Dataset.set_split`` changes it.

        Raises:
            Refused: other fractions or another group than the dataset's.
            InvalidInput: no such split or column, or this view is another split already.
        """
        check_split(name)
        if self.is_split is not None:
            if self.is_split == name:
                return self
            raise InvalidInput(
                f"the {self.is_split} split holds no {name} samples.", hint="Split the version."
            )
        group = None if group is None else self.manifest.resolve(group)
        rule = self._home.split_rule(fractions, group)
        hashes = self.root_hash()
        if rule.group is not None:
            column = self.table([rule.group]).column(0)
            hashes = group_hashes(column, hashes, self._home.split_key)
        chosen = np.flatnonzero(rule.mask(name, hashes))
        return self._of(self._absolute(chosen).astype(np.uint64), is_split=name)

    def save(self) -> View:
        """Keeps this view in the hub; ``catalog.view(digest)`` opens it again, anywhere."""
        self._home.save_view(self)
        if self._positions is not None and not self._is_whole():
            digest = self.digest
            self._mapped = self._home.open_view(digest).mapped
            self._positions, self._is_saved = None, True  # the list is let go
        return self

    def batches(self, batch_size: int, **options: Any) -> Any:
        """Random batches of it (see ``maruhub.loaders``)."""
        make = self._home.loader
        if make is None:
            raise InvalidInput("this catalog was opened without a loader.", hint="Use maruhub.connect(path).")
        return make(self, batch_size, **options)

    def __repr__(self) -> str:
        what = f" {self.is_split}" if self.is_split else ""
        name = f"{self.dataset_name}@{self.version_name}"
        return f"{type(self).__name__}({name}{what}, {len(self)} samples)"

    # -- inside

    def _of(self, positions: Positions, is_split: str | None = None) -> View:
        split = self.is_split if is_split is None else is_split
        return View(self.manifest, self.version_digest, self._home, positions=positions, is_split=split)

    def _all(self) -> RowArray | None:
        """Absolute rows of everything; None where that is every position in order."""
        positions = self.positions
        if positions is not None:
            return positions.astype(np.int64)
        live = self.manifest.live
        return None if live is None else live.astype(np.int64)

    def _absolute(self, rows: Rows) -> RowArray:
        """Positions in the version of ``rows`` of this view."""
        if rows is None:
            everything = self._all()
            return np.arange(len(self)) if everything is None else everything
        wanted = _row_numbers(rows)
        if len(wanted) and (int(wanted.min()) < 0 or int(wanted.max()) >= len(self)):
            raise InvalidInput(f"rows reach beyond the {len(self)} of this view.", hint="Rows count from 0.")
        if self._mapped is not None:
            return self._mapped.take(wanted)
        if self._positions is not None:
            return self._positions[wanted].astype(np.int64)
        live = self.manifest.live_rows
        return wanted if live is None else live.at(wanted)

    def _is_whole(self) -> bool:
        positions = self.positions
        if positions is None or len(positions) != self.manifest.root.rows:
            return positions is None
        return bool(np.array_equal(positions, View._absolute(self._whole(), None)))

    def _whole(self) -> View:
        return View(self.manifest, self.version_digest, self._home)


def _row_numbers(rows: Rows) -> RowArray:
    """Rows as ``int64[m]``; InvalidInput for what is not a list of whole numbers."""
    try:
        wanted = np.asarray(rows)
    except ValueError:
        wanted = np.empty((), dtype=np.object_)
    if wanted.ndim != 1 or (len(wanted) and wanted.dtype.kind not in "iu"):
        raise argument.wrong("rows", rows, "a list of whole numbers", hint="Such as [0, 1, 2] or range(10).")
    return wanted.astype(np.int64, copy=False)


def _reopen_saved(home: Home, digest: str, is_split: str | None) -> View:
    """A saved view that came from another process."""
    view = home.open_view(digest)
    view.is_split = is_split  # an equal view may have been saved as no split's
    return view


def _reopen(home: Home, number: int, positions: Positions | None, is_split: str | None) -> View:
    """A view that came from another process."""
    version = home.open_version(number)
    if positions is None:
        return version
    return View(version.manifest, version.version_digest, home, positions=positions, is_split=is_split)
