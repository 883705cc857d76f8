"""A dataset: a named line of versions. Handles are cheap; it exists once committed."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol

from maruhub import argument
from maruhub.catalog.arrival import Progress
from maruhub.catalog.commit import Commit
from maruhub.catalog.diff import Diff, compare
from maruhub.catalog.dropping import DELAY_S, check_delay, retained_until
from maruhub.catalog.labels.file import read_labels
from maruhub.catalog.labels.joining import LabelReport, revise
from maruhub.catalog.labels.revision import LabelRevision, label_revisions
from maruhub.catalog.line import Line
from maruhub.catalog.name import LATEST, check_name, check_tag, version_name
from maruhub.catalog.positions import MappedPositions
from maruhub.catalog.row import ViewRow, version_of_key
from maruhub.catalog.split import SplitRule
from maruhub.catalog.version import Version, VersionInfo
from maruhub.catalog.view import View
from maruhub.errors import InvalidInput, MaruError, NotFound, ReadOnly, Refused
from maruhub.namespace.retention import Term, wall_moment
from maruhub.store.format.extent import Blobs

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.namespace.namespace import Namespace


class Door(Protocol):
    """What a dataset is reached through: a hub, which finds its way into another process."""

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name."""


class Dataset:
    """A dataset of one hub. Handed to another process it is opened there by its name.

    Args:
        ns: The hub's namespace.
        name: The dataset's name; it need not exist yet.
        loader: Makes batches of a view (``View.batches``).
        door: What opens it again in another process.
    """

    def __init__(
        self,
        ns: Namespace,
        name: str,
        loader: Callable[..., Any] | None = None,
        door: Door | None = None,
    ) -> None:
        self.name = check_name("dataset", name)
        self.loader = loader
        self.split_key = ns.store.split_key
        self._line = Line(ns, self.name, self)
        self._ledger = self._line.ledger
        self._door = door

    def __reduce__(self) -> tuple[Any, ...]:
        if self._door is None:
            raise InvalidInput(
                f"dataset {self.name} was opened without a hub: it can't be handed to another process.",
                hint="Use maruhub.connect(path).dataset(name).",
            )
        return _reopen, (self._door, self.name)

    # -- versions

    def commit(
        self,
        source: str | Sequence[str] | None = None,
        message: str = "",
        progress: Progress | None = None,
        *,
        allow_empty: bool = False,
    ) -> Version:
        """Freezes what lies below ``source`` as the next version.

        The version names each key's state at some moment between the call's start and its
        end. New and changed objects follow the samples there were, in order of arrival;
        objects that are gone are marked removed. Labels stay with their samples.

        Args:
            source: ``BUCKET``, ``BUCKET/FOLDER/`` or ``BUCKET/PREFIX*``, or several; None is
                what the last version was made from.
            message: Why, for people.
            progress: Told how many objects were looked at.
            allow_empty: Nothing there is no mistake.

        Returns:
            The new version, or the latest one with ``is_new`` False if nothing changed.

        Where every version was dropped, it goes on from the newest that can be brought back.

        Raises:
            NoSuchBucket: the bucket does not exist.
            InvalidInput: there is nothing below ``source``, or below one of several. (Of the
                sources of the last version some may be empty by now: what was deleted is
                removed.)
            Busy: others commit all the time.
        """
        argument.text("message", message)
        argument.function("progress", progress)
        how = Commit(self._line, source, message=message, progress=progress, allow_empty=allow_empty)
        return how.run()

    def label(
        self,
        source: str | PathLike[str] | pa.Table,
        *,
        name: str = "labels",
        by: str | None = None,
        types: Mapping[str, Any] | None = None,
        rename: Mapping[str, str] | None = None,
        message: str = "",
    ) -> LabelReport:
        """Joins labels to the latest version's samples, as the next version. No sample moves.

        Args:
            source: A CSV, JSON lines or Parquet file, or an Arrow table, with a column
                ``id`` (bucket/key), ``key`` (in the bucket) or ``digest`` (SHA-256).
            name: The label set. A set that is there already is revised: samples in the file
                get its values, others keep theirs.
            by: Which of these columns joins; None: the first that is there.
            types: Arrow types by column, instead of inferred ones.
            rename: Other names for columns of the file.
            message: Why, for people.

        Raises:
            InvalidData: what is wrong, with file, column, row and value; nothing was changed.
            InvalidInput: a column is another set's.
        """
        check_name("label set", name)
        argument.text("message", message)
        labels = read_labels(source, by=by, types=types, rename=rename)
        return revise(self._line, labels, name, message)

    def versions(self, *, dropped: bool = False) -> list[VersionInfo]:
        """All versions in order; dropped ones too if asked for.

        A dropped one says so (``dropped``), and until when it can be brought back at least
        (``restorable_until``).
        """
        tags, now_us = self._ledger.tags(self.name), self._ledger.store.pool_time_us()
        line = self._ledger.dataset(self.name)
        retained_us = retained_until(line) if line else 0
        found = []
        for row in self._ledger.versions(self.name):
            info = VersionInfo.of_row(row, pool_time_us=now_us, dataset_retained_us=retained_us)
            if dropped or not info.dropped:
                named = tuple(sorted(tag for tag, number in tags.items() if number == info.number))
                found.append(replace(info, tags=named))
        return found

    def info(self, version: str | int = LATEST) -> VersionInfo:
        """What :meth:`versions` says of one version, dropped or not; NoSuchDataset, NoSuchVersion."""
        # One whose delay is over may be gone for good: the ledger says so.
        number = version_of_key(self._ledger.version(self.name, self._line.number(version)).key)
        return next(info for info in self.versions(dropped=True) if info.number == number)

    @property
    def exists(self) -> bool:
        """Whether it was ever committed."""
        return self._ledger.dataset(self.name) is not None

    @property
    def latest(self) -> Version:
        """The highest version that is not dropped; NoSuchDataset, NoSuchVersion."""
        return self._line.get(LATEST)

    def __getitem__(self, version: str | int) -> Version:
        """A version by ``v3``, 3, ``latest`` or a tag; NoSuchDataset, NoSuchVersion."""
        return self._line.get(version)

    def open_version(self, number: int) -> Version:
        """A version by its number; NoSuchVersion if it was dropped."""
        return self._line.get(number)

    def tag(self, name: str, version: str | int | Version = LATEST, *, move: bool = False) -> None:
        """Gives a version another name; AlreadyExists if the tag points elsewhere, unless ``move``."""
        self._ledger.set_tag(self.name, check_tag(name), self._line.number(version), move=move)

    def untag(self, name: str) -> None:
        """Takes a tag away."""
        self._ledger.remove_tag(self.name, check_tag(name))

    def drop(self, version: str | int | Version, *, delay_s: float = DELAY_S) -> None:
        """Hides a version. It can be restored with :meth:`undrop`; nothing is freed before the delay."""
        self._ledger.drop(self.name, self._line.number(version), check_delay(delay_s))

    def drop_all(self, *, delay_s: float = DELAY_S) -> list[str]:
        """Hides every version at once; the names of those that were not hidden before.

        The next commit goes on from the newest of them while it can be brought back, so
        labels and sources stay with the dataset.
        """
        return [version_name(n) for n in self._ledger.drop_all(self.name, check_delay(delay_s))]

    def undrop(self, version: str | int) -> Version:
        """Brings a dropped version back."""
        number = self._line.number(version)
        self._ledger.undrop(self.name, number)
        return self[number]

    def undrop_all(self) -> list[str]:
        """Brings every dropped version back at once; their names."""
        return [version_name(n) for n in self._ledger.undrop_all(self.name)]

    def retain(
        self,
        version: str | int | Version | None = None,
        *,
        until: datetime.datetime | datetime.date | None = None,
        for_s: float | None = None,
    ) -> datetime.datetime:
        """Keeps a version, or (None) the whole dataset with every version to come, from being dropped.

        Until the date, or for so many seconds from now, nobody can drop or free it. A term can
        be made longer and never shorter.

        Returns:
            When it ends at the earliest: the longest term ever set.

        Raises:
            InvalidInput: not exactly one of ``until`` and ``for_s``, or one that is past.
        """
        number = None if version is None else self._line.number(version)
        until_us = self._ledger.retain(self.name, number, Term.of(until, for_s))
        return wall_moment(until_us, self._ledger.store.pool_time_us())

    def diff(self, before: str | int | View, after: str | int | View = LATEST) -> Diff:
        """What differs between two versions (or views)."""
        old, new = (v if isinstance(v, View) else self[v] for v in (before, after))
        return compare(old, new)

    def label_sets(self) -> list[LabelRevision]:
        """Every revision of every label set: who, when, from what."""
        return label_revisions(self._ledger, self.name)

    # -- split

    def set_split(
        self, fractions: Sequence[float] | None = None, group: str | None = None, *, replace: bool = False
    ) -> SplitRule:
        """Fixes how this dataset is split, for everybody.

        Raises:
            Refused: it is split in another way already, and ``replace`` is not set. Another
                rule puts samples that were trained on into the test split.
        """
        wanted = SplitRule.of(fractions, group)
        if group is not None:
            wanted = SplitRule(wanted.fractions, self.latest.manifest.resolve(group))
        kept = self._ledger.set_split(self.name, wanted.to_json(), replace_it=replace)
        if SplitRule.from_json(kept) != wanted:
            raise self._other_rule(SplitRule.from_json(kept))
        return wanted

    @property
    def fixed_split(self) -> SplitRule | None:
        """The rule that holds now; None before the first split."""
        split = self._line.known().split
        return None if split is None else SplitRule.from_json(split)

    def split_rule(self, fractions: Sequence[float] | None, group: str | None) -> SplitRule:
        """The rule that holds; the first use fixes it. Refused if another is asked for."""
        kept = self.fixed_split
        if kept is None:
            wanted = SplitRule.of(fractions, group)
            try:
                kept = SplitRule.from_json(
                    self._ledger.set_split(self.name, wanted.to_json(), replace_it=False)
                )
            except ReadOnly:
                return wanted
        asked = SplitRule.of(fractions if fractions is not None else kept.fractions, group or kept.group)
        if asked != kept:
            raise self._other_rule(kept)
        return kept

    def _other_rule(self, kept: SplitRule) -> Refused:
        how = f"fractions {kept.fractions}" + (f", group {kept.group!r}" if kept.group else "")
        return Refused(
            f"{self.name} is split by {how}.",
            hint="Leave out --group to split it so; only Python changes the rule, for everybody.",
            python_hint="Leave out fractions and group to split it so, or change the rule for everybody: "
            "dataset.set_split(..., replace=True).",
        )

    def read_many(self, blobs: Blobs, *, announce: bool = True) -> list[memoryview | MaruError]:
        """Bytes of this hub, announced before they are read; see :meth:`View.read_many`."""
        store = self._ledger.store
        if announce:
            store.announce(blobs.extents)
        return store.read_many(blobs)

    def open_view(self, digest: str) -> View:
        """A saved view of this dataset, its positions mapped; NotFound, or NoSuchVersion if that was dropped."""
        found = self._ledger.saved_view(digest)
        if found is None:
            raise NotFound(f"no view {digest} was saved.", hint="`view.save()` keeps one.")
        saved, row = found
        version = self[saved.version]
        if saved.whole:
            return version
        positions = MappedPositions.read(self._ledger.store, Blobs.of([row.extents]).extents)
        return View(
            version.manifest,
            version.digest,
            self,
            positions=positions,
            is_split=saved.split,
            saved_as=digest,
        )

    def save_view(self, view: View) -> None:
        """Keeps a view under its digest."""
        positions = view.positions
        # The same rows have the same digest, however they were found: a split that holds
        # everything is kept as the version itself.
        whole = positions is None or view.digest == view.version_digest
        raw = b"" if positions is None or whole else positions.astype("<u8").tobytes()
        split = None if whole else view.is_split
        number = view.manifest.root.version
        payload = ViewRow(self.name, number, view.version_digest, len(view), whole, split)
        self._ledger.save_view(view.digest, payload, raw)


def _reopen(door: Door, name: str) -> Dataset:
    """A dataset that came from another process."""
    return door.dataset(name)
