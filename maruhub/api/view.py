"""A dataset's version, or a part of one, with loaders at hand.

Everything but ``batches`` is the catalog's; each narrowing gives a face again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from maruhub.errors import MaruError

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.api.run import Run
    from maruhub.catalog import Version, View
    from maruhub.catalog.version import VersionInfo
    from maruhub.catalog.view import Rows
    from maruhub.loaders import Batches
    from maruhub.store.protocol import Store


class DataView:
    """Samples of one version, in a fixed order. ``len`` is their number.

    Args:
        view: The catalog's view.
        store: Where the bytes are.
    """

    def __init__(self, view: View, store: Store) -> None:
        self.catalog_view = view
        self._store = store

    def __repr__(self) -> str:
        part = f" {self.is_split}" if self.is_split else ""
        return f"<{self.address}{part}: {len(self)} samples>"

    def __len__(self) -> int:
        return len(self.catalog_view)

    @property
    def dataset_name(self) -> str:
        """The dataset: ``cats``."""
        return self.catalog_view.dataset_name

    @property
    def version_name(self) -> str:
        """The version: ``v3``."""
        return self.catalog_view.version_name

    @property
    def address(self) -> str:
        """The version this is of, as every command takes it: ``cats@v3``."""
        return f"{self.dataset_name}@{self.version_name}"

    @property
    def digest(self) -> str:
        """Hex; equal for equal samples in equal order."""
        return self.catalog_view.digest

    @property
    def is_split(self) -> str | None:
        """``train``, ``validation`` or ``test`` if all samples belong to it."""
        return self.catalog_view.is_split

    def split(
        self, name: str, *, fractions: Sequence[float] | None = None, group: str | None = None
    ) -> DataView:
        """``train``, ``validation`` or ``test``: a sample stays on its side for ever.

        The dataset's first split fixes the rule for everybody: fractions 0.8, 0.1, 0.1
        unless given; ``group`` names a column whose equal values stay on one side.
        """
        return self._face(self.catalog_view.split(name, fractions, group))

    def where(self, expression: str) -> DataView:
        """The samples for which an SQL expression over the columns is true."""
        return self._face(self.catalog_view.where(expression))

    def sample(self, n: int, *, seed: int = 0) -> DataView:
        """``n`` samples at random, the same ones for the same seed."""
        return self._face(self.catalog_view.sample(n, seed))

    def sort(self, column: str, *, descending: bool = False) -> DataView:
        """The same samples ordered by a column."""
        return self._face(self.catalog_view.sort(column, descending=descending))

    def select(self, rows: Rows) -> DataView:
        """The samples at ``rows`` (0 … len - 1), in that order."""
        return self._face(self.catalog_view.select(rows))

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Ids, labels and attributes as an Arrow table; no blob is read."""
        return self.catalog_view.table(columns)

    def ids(self, rows: Rows = None) -> list[str]:
        """Sample ids, ``bucket/key``; all, or those at ``rows``."""
        return self.catalog_view.ids(rows)

    def read(self, rows: Rows = None, *, verify: bool = True) -> list[memoryview]:
        """The bytes of samples: read-only views; raises the first error there is."""
        found = self._store.read_many(self.catalog_view.blobs(rows), verify=verify)
        return [_or_raise(one) for one in found]

    def batches(
        self,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        run: Run | None = None,
        **options: Any,
    ) -> Batches:
        """Random batches of these samples; a batch has ``.ids``, ``.blobs``, ``.columns``.

        The order is a pure function of version, seed and epoch; ``state_dict`` resumes
        exactly, also under another ``world`` or batch size. With ``run`` what is read is
        recorded, so that a score can be called held-out later. Further ``options`` are
        those of :class:`maruhub.loaders.Batches`.
        """
        from maruhub.loaders import Batches

        recorder = None if run is None else run.recorder(self)
        return Batches(
            self.catalog_view,
            self._store,
            batch_size,
            seed=seed,
            rank=rank,
            world=world,
            recorder=recorder,
            **options,
        )

    def save(self) -> str:
        """Keeps this view in the hub; ``hub.view`` opens it by the digest returned."""
        self.catalog_view.save()
        return self.digest

    def _face(self, view: View) -> DataView:
        return DataView(view, self._store)


class DatasetVersion(DataView):
    """One whole version: immutable, naming exact bytes.

    Args:
        version: The catalog's version.
        store: Where the bytes are.
    """

    def __init__(self, version: Version, store: Store) -> None:
        super().__init__(version, store)
        self.catalog_version = version

    @property
    def name(self) -> str:
        """``v3``."""
        return self.catalog_version.name

    @property
    def is_new(self) -> bool:
        """False on what a commit returned because nothing had changed."""
        return self.catalog_version.is_new

    @property
    def info(self) -> VersionInfo:
        """Who made it, when, why, from what; its tags."""
        return self.catalog_version.info


def _or_raise(found: memoryview | MaruError) -> memoryview:
    if isinstance(found, MaruError):
        raise found
    return found
