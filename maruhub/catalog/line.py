"""A dataset's line of versions: finding one by any of its names, and opening it."""

from __future__ import annotations

from maruhub import argument
from maruhub.catalog.ledger import Ledger
from maruhub.catalog.manifests.manifest import Manifest
from maruhub.catalog.name import LATEST, version_number
from maruhub.catalog.row import DatasetRow, VersionRow
from maruhub.catalog.version import Version, VersionInfo
from maruhub.catalog.view import Home, View
from maruhub.errors import NoSuchDataset, NoSuchVersion
from maruhub.namespace.namespace import Namespace
from maruhub.store.format.row import Row


class Line:
    """The versions of one dataset.

    Args:
        ns: The hub's namespace.
        name: The dataset's name.
        home: What views of its versions ask (the dataset's handle).
    """

    def __init__(self, ns: Namespace, name: str, home: Home) -> None:
        self.ns = ns
        self.name = name
        self.ledger = Ledger(ns.store, ns.actor)
        self._home = home

    def known(self) -> DatasetRow:
        """The dataset's row; NoSuchDataset before its first commit."""
        row = self.ledger.dataset(self.name)
        if row is None:
            raise NoSuchDataset(
                f"there is no dataset {self.name!r}.", hint="`maru commit` (dataset.commit) makes one."
            )
        return row

    def latest(self, seen: DatasetRow | None) -> Version | None:
        """The latest version as of ``seen``; None if there is none, or all were dropped."""
        if seen is None or not seen.latest:
            return None
        return self.open(self.ledger.version(self.name, seen.latest))

    def basis(self, seen: DatasetRow | None) -> Version | None:
        """What the next commit goes on from: the latest version as of ``seen``.

        Where all were dropped it is the newest that can still be brought back: labels,
        attributes and sources belong to the line, and a drop hides versions only. None if
        there is nothing to go on from.
        """
        if seen is None or seen.latest:
            return self.latest(seen)
        row = self.ledger.newest_restorable(self.name)
        return None if row is None else self.open(row)

    def get(self, version: str | int | View) -> Version:
        """A version that is not dropped, by any of its names."""
        row = self.ledger.version(self.name, self.number(version))
        if VersionRow.decode(row).dropped_us:
            address = f"{self.name}@{version}"
            raise NoSuchVersion(
                f"{address} was dropped.", hint=f"`maru drop {address} --undo` (undrop) brings it back."
            )
        return self.open(row)

    def number(self, version: str | int | View) -> int:
        """The number of a version by ``v3``, 3, ``latest`` or a tag, dropped or not."""
        if isinstance(version, View):
            return version.manifest.root.version
        if isinstance(version, bool) or not isinstance(version, str | int):
            raise argument.wrong("a version", version, "'v3', 3, 'latest' or a tag")
        known = self.known()
        if version == LATEST:
            if not known.latest:
                raise NoSuchVersion(
                    f"every version of {self.name} was dropped.",
                    hint=f"`maru drop {self.name} --all --undo` brings them back, "
                    f"`maru versions {self.name} --dropped` lists them.",
                    python_hint="dataset.undrop_all() brings them back, "
                    "dataset.versions(dropped=True) lists them.",
                )
            return known.latest
        number = version if isinstance(version, int) else version_number(version)
        if number is None:
            number = self.ledger.tags(self.name).get(str(version))
        if number is None or not 0 < number <= known.head:
            raise NoSuchVersion(
                f"{self.name} has no version or tag {version!r}.",
                hint=f"`maru versions {self.name}` lists them.",
                python_hint="dataset.versions() lists them.",
            )
        return number

    def open(self, row: Row, *, is_new: bool = False) -> Version:
        """A version from its row."""
        manifest = Manifest(self.ns.store, self.ledger.root(row))
        return Version(manifest, VersionInfo.of_row(row), self._home, is_new=is_new)
