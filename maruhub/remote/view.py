"""Versions and views of a hub elsewhere: what they are is asked there, once."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.remote.items import Parts, read_items

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.catalog.version import VersionInfo
    from maruhub.remote.batches import RemoteBatches
    from maruhub.remote.hub import RemoteHub

Rows = npt.NDArray[Any] | Sequence[int] | None


class RemoteView:
    """Samples of one version, as :class:`maruhub.catalog.View`. Cheap; safe from many threads.

    Args:
        hub: Where it is.
        source: What the batch door calls a source; its version is a number, not ``latest``.
    """

    def __init__(self, hub: RemoteHub, source: Mapping[str, Any]) -> None:
        self.hub = hub
        self.source = dict(source)

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteView, (self.hub, self.source)

    @cached_property
    def about(self) -> dict[str, Any]:
        """What the hub says of it."""
        told: dict[str, Any] = self.hub.transport.call("view.open", source=self.source)
        return told

    def expected_source(self) -> dict[str, Any]:
        """The source, with the digest that must come out."""
        return {**self.source, "digest": self.digest}

    @property
    def dataset_name(self) -> str:
        """The dataset."""
        return str(self.about["dataset"])

    @property
    def version_name(self) -> str:
        """The version: ``v3``."""
        return str(self.about["version"])

    @property
    def version_digest(self) -> str:
        """The version's digest."""
        return str(self.about["version_digest"])

    @property
    def digest(self) -> str:
        """What is in it, in which order: 64 hex digits; of a whole version the version's own."""
        return str(self.about["digest"])

    @property
    def is_split(self) -> str | None:
        """The split that all rows belong to, if they do."""
        split: str | None = self.about["split"]
        return split

    @property
    def column_names(self) -> list[str]:
        """Columns of :meth:`table`."""
        return list(self.about["columns"])

    def __len__(self) -> int:
        return int(self.about["rows"])

    def __repr__(self) -> str:
        what = f" {self.is_split}" if self.is_split else ""
        return f"{type(self).__name__}({self.dataset_name}@{self.version_name}{what}, {len(self)} samples)"

    # -- rows

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows as a table; ``root_hash`` and ``blob`` are in it only if they are named."""
        wanted = None if columns is None else argument.texts("columns", columns)
        return self.hub.table("view.table", source=self.source, columns=wanted)

    def ids(self, rows: Rows = None) -> list[str]:
        """Ids, ``bucket/key``."""
        return list(self._rows(["id"], rows).column(0).to_pylist())

    def sizes(self, rows: Rows = None) -> npt.NDArray[np.int64]:
        """Bytes of each sample, ``int64[m]``."""
        sizes: npt.NDArray[np.int64] = self._rows(["size"], rows).column(0).to_numpy()
        return sizes

    def sha256(self, rows: Rows = None) -> npt.NDArray[np.uint8]:
        """SHA-256 of the bytes, ``uint8[m, 32]``."""
        found = self._rows(["sha256"], rows).column(0).to_pylist()
        return np.frombuffer(b"".join(found), np.uint8).reshape(len(found), 32)

    def columns(self, rows: Rows = None) -> pa.Table:
        """Attributes and labels, a row a sample."""
        from maruhub.catalog.arrival import base_schema

        own = set(base_schema().names)
        return self._rows([name for name in self.column_names if name not in own], rows)

    def read_many(self, rows: Rows = None, *, announce: bool = True) -> Parts:
        """The bytes of rows, in their order; an unreadable one's error in its place.

        The hub announces what it reads by itself.
        """
        wanted = list(range(len(self))) if rows is None else _whole_numbers(rows)
        return [part for items in self._read(wanted) for part in items]

    def _read(self, wanted: list[int]) -> Iterator[Parts]:
        source = self.expected_source()

        def ask(done: int) -> dict[str, Any]:
            return {"format": 1, "samples": source, "rows": wanted[done:], "columns": False}

        return (items.parts for items in read_items(self.hub.transport, ask))

    def _rows(self, columns: list[str], rows: Rows) -> pa.Table:
        wanted = None if rows is None else _whole_numbers(rows)
        return self.hub.table("view.table", source=self.source, columns=columns, rows=wanted)

    # -- views of it

    def select(self, positions: Rows) -> RemoteView:
        """The view of some of its rows (0 … len - 1), in the order given."""
        return self._of("select", list(range(len(self))) if positions is None else _whole_numbers(positions))

    def where(self, expression: str) -> RemoteView:
        """The rows for which an SQL expression over the columns is true, in this order."""
        return self._of(
            "where", argument.text("an expression", expression, hint="Such as: where(\"label = 'cat'\")")
        )

    def sample(self, n: int, seed: int = 0) -> RemoteView:
        """``n`` rows drawn by a keyed hash, in this view's order."""
        return self._of("sample", argument.whole("n", n, low=0), argument.whole("seed", seed))

    def sort(self, column: str, *, descending: bool = False) -> RemoteView:
        """Sorted by a column, nulls last; equal values keep this view's order."""
        return self._of("sort", argument.text("column", column), argument.flag("descending", descending))

    def split(
        self, name: str, fractions: Sequence[float] | None = None, group: str | None = None
    ) -> RemoteView:
        """The rows of ``train``, ``validation`` or ``test``; the first use fixes the dataset's rule."""
        argument.text("a split", name)
        given = (
            []
            if fractions is None and group is None
            else [None if fractions is None else list(fractions), group]
        )
        return self._of("split", name, *given)

    def save(self) -> RemoteView:
        """Keeps this view in the hub; ``hub.view(digest)`` opens it again, anywhere."""
        self.hub.transport.call("view.save", source=self.source)
        return self

    def batches(self, batch_size: int, **options: Any) -> RemoteBatches:
        """Random batches of it; see :meth:`maruhub.api.Hub.batches`."""
        return self.hub.batches(self, batch_size, **options)

    def _of(self, *operation: Any) -> RemoteView:
        operations = [*self.source.get("operations", []), list(operation)]
        made = RemoteView(self.hub, {**self.source, "operations": operations})
        # A local view tells of a wrong operation at once; so does this one.
        assert made.about is not None
        return made


class RemoteVersion(RemoteView):
    """A version: all its live rows, and who made it, when and why."""

    is_new = True

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteVersion, (self.hub, self.source)

    @cached_property
    def info(self) -> VersionInfo:
        """What a list of versions shows of it."""
        return version_info(self.about["info"])

    @property
    def number(self) -> int:
        """3 for ``v3``."""
        return self.info.number

    @property
    def name(self) -> str:
        """``v3``."""
        return self.info.name

    @property
    def message(self) -> str:
        """Why it was made."""
        return self.info.message

    @property
    def actor(self) -> str:
        """Who made it."""
        return self.info.actor

    @property
    def created(self) -> datetime.datetime:
        """When it was made, UTC."""
        return self.info.created


def version_info(told: Mapping[str, Any]) -> VersionInfo:
    """What the hub says of a version."""
    from maruhub.catalog.version import VersionInfo

    def moment(name: str) -> datetime.datetime | None:
        return None if told[name] is None else datetime.datetime.fromisoformat(told[name])

    created = moment("created")
    assert created is not None, "every version was made some time"
    return VersionInfo(
        number=told["number"],
        rows=told["rows"],
        digest=told["digest"],
        created=created,
        actor=told["actor"],
        message=told["message"],
        sources=tuple(told["sources"]),
        tags=tuple(told["tags"]),
        dropped=told["dropped"],
        restorable_until=moment("restorable_until"),
        retained_until=moment("retained_until"),
    )


def _whole_numbers(rows: Rows) -> list[int]:
    """Rows as JSON; InvalidInput for what is no list of whole numbers."""
    try:
        found = np.asarray(rows)
    except ValueError:
        found = np.empty((), np.object_)
    if found.ndim != 1 or (len(found) and found.dtype.kind not in "iu"):
        raise argument.wrong("rows", rows, "a list of whole numbers", hint="Such as [0, 1, 2] or range(10).")
    if len(found) and int(found.min()) < 0:
        raise InvalidInput("rows count from 0.")
    numbers: list[int] = found.tolist()
    return numbers
