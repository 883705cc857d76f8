"""A dataset by name: its versions, and how they come to be.

Every version that leaves here is a face with loaders; the rest is the catalog's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from maruhub.api.view import DatasetVersion

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.catalog import Dataset, Diff, LabelReport, Version
    from maruhub.store.protocol import Store


class DatasetHandle:
    """A named line of versions. It exists once something was committed."""

    def __init__(self, dataset: Dataset, store: Store) -> None:
        self.catalog_dataset = dataset
        self._store = store

    def __repr__(self) -> str:
        return f"<dataset {self.name!r}>"

    @property
    def name(self) -> str:
        """Its name."""
        return self.catalog_dataset.name

    @property
    def latest(self) -> DatasetVersion:
        """The newest version; raises NoSuchDataset before the first commit."""
        return self._face(self.catalog_dataset.latest)

    def __getitem__(self, version: str) -> DatasetVersion:
        """A version by name (``v3``), tag, or ``latest``; raises NoSuchVersion."""
        return self._face(self.catalog_dataset[version])

    def versions(self) -> list[DatasetVersion]:
        """All versions that were not dropped, the oldest first."""
        return [self._face(version) for version in self.catalog_dataset.versions()]

    def commit(
        self, source: str, *, message: str = "", progress: Callable[[int, int], None] | None = None
    ) -> DatasetVersion:
        """Freezes the objects of ``bucket`` or ``bucket/prefix`` as a version.

        Nothing is copied. When nothing changed it returns the latest version, whose
        ``is_new`` is False.
        """
        return self._face(self.catalog_dataset.commit(source, message=message, progress=progress))

    def label(
        self,
        source: str | Path | pa.Table,
        *,
        name: str = "labels",
        by: str | None = None,
        types: Mapping[str, str] | None = None,
    ) -> LabelReport:
        """Joins columns from CSV, JSON lines, Parquet or a table; no blob moves.

        A column ``key`` (the key in the bucket) or ``id`` (``bucket/key``) says which
        sample a row is for. The report names what found no partner on either side.
        """
        return self.catalog_dataset.label(source, name=name, by=by, types=types)

    def tag(self, name: str, version: str | DatasetVersion) -> None:
        """Gives a version a name, or moves the name to it."""
        self.catalog_dataset.tag(name, _name(version))

    def drop(self, version: str | DatasetVersion) -> None:
        """Drops a version. Its bytes stay until the delay ends and nothing else names them."""
        self.catalog_dataset.drop(_name(version))

    def diff(self, old: str | DatasetVersion, new: str | DatasetVersion) -> Diff:
        """What came, went and changed from ``old`` to ``new``."""
        return self.catalog_dataset.diff(_name(old), _name(new))

    def _face(self, version: Version) -> DatasetVersion:
        return DatasetVersion(version, self._store)


def _name(version: str | DatasetVersion) -> str:
    return version if isinstance(version, str) else version.name
