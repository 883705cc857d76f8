"""A dataset: a named line of versions. Handles are cheap; it exists once committed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

from maruhub.catalog.arrival import Arrivals, ArrivalScan, Progress, listings
from maruhub.catalog.diff import Diff, compare
from maruhub.catalog.draft import Draft
from maruhub.catalog.growth import Growth
from maruhub.catalog.label import LabelReport, join, label_draft
from maruhub.catalog.label_file import LabelFile, read_labels
from maruhub.catalog.label_set import LabelRevision, label_revisions
from maruhub.catalog.ledger import DELAY_S, Ledger, check_delay
from maruhub.catalog.manifest import Manifest
from maruhub.catalog.name import LATEST, check_name, check_tag, version_number
from maruhub.catalog.row import DatasetRow, VersionRow, ViewRow
from maruhub.catalog.source import Source, parse_sources
from maruhub.catalog.split import SplitRule
from maruhub.catalog.version import Version, VersionInfo
from maruhub.catalog.view import View
from maruhub.errors import Busy, InvalidInput, NoSuchDataset, NoSuchVersion, ReadOnly, Refused

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.namespace.namespace import Namespace
    from maruhub.store.row import Row

_ATTEMPTS: Final = 20
_REPACK_ROWS: Final = 1024


class Dataset:
    """A dataset of one hub.

    Args:
        ns: The hub's namespace.
        name: The dataset's name; it need not exist yet.
        loader: Makes batches of a view (``View.batches``).
    """

    def __init__(self, ns: Namespace, name: str, loader: Callable[..., Any] | None = None) -> None:
        self.name = check_name("dataset", name)
        self.loader = loader
        self._ns = ns
        self._ledger = Ledger(ns.store, ns.actor)

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

        Raises:
            NoSuchBucket: the bucket does not exist.
            InvalidInput: there is nothing below ``source``.
            Busy: others commit all the time.
        """
        for _ in range(_ATTEMPTS):
            seen = self._ledger.dataset(self.name)
            before = self._open_latest(seen)
            sources = self._sources(source, before)
            arrivals, repack = self._arrivals(sources, before, progress)
            if not arrivals.seen and not allow_empty:
                raise InvalidInput(
                    f"there is nothing below {', '.join(map(str, sources))}.",
                    hint="Check the name, or allow_empty=True.",
                )
            if before is not None and not repack and not len(arrivals.gone) and not arrivals.base.num_rows:
                return before
            growth = Growth(self._ns.store, before.manifest if before else None, arrivals, repack=repack)
            draft = growth.draft(self.name, seen.head + 1 if seen else 1)
            draft = replace(draft, message=message, sources=tuple(map(str, sources)))
            row = self._ledger.publish(draft, seen)
            if row is not None:
                return self._version(row, is_new=True)
        raise Busy(f"others keep committing to {self.name}.", hint="Try again.")

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
        labels = read_labels(source, by=by, types=types, rename=rename)
        for _ in range(_ATTEMPTS):
            report = self._label(labels, name, message)
            if report is not None:
                return report
        raise Busy(f"others keep committing to {self.name}.", hint="Try again.")

    def versions(self, *, dropped: bool = False) -> list[VersionInfo]:
        """All versions in order; dropped ones only if asked for."""
        tags = self._ledger.tags(self.name)
        found = []
        for row in self._ledger.versions(self.name):
            info = VersionInfo.of_row(row)
            if dropped or not info.dropped:
                named = tuple(sorted(tag for tag, number in tags.items() if number == info.number))
                found.append(replace(info, tags=named))
        return found

    @property
    def exists(self) -> bool:
        """Whether it was ever committed."""
        return self._ledger.dataset(self.name) is not None

    @property
    def latest(self) -> Version:
        """The highest version that is not dropped; NoSuchDataset, NoSuchVersion."""
        seen = self._known()
        latest = self._open_latest(seen)
        if latest is None:
            raise NoSuchVersion(
                f"every version of {self.name} was dropped.", hint="`undrop` brings one back."
            )
        return latest

    def __getitem__(self, version: str | int) -> Version:
        """A version by ``v3``, 3, ``latest`` or a tag; NoSuchDataset, NoSuchVersion."""
        if version == LATEST:
            return self.latest
        row = self._ledger.version(self.name, self.number(version))
        if VersionRow.decode(row).dropped_us:
            raise NoSuchVersion(f"{self.name}@{version} was dropped.", hint="`undrop` brings it back.")
        return self._version(row)

    def number(self, version: str | int | View) -> int:
        """The number of a version named in any way."""
        if isinstance(version, View):
            return version.manifest.root.version
        known = self._known()
        if version == LATEST:
            return self.latest.number
        number = version if isinstance(version, int) else version_number(version)
        if number is None:
            number = self._ledger.tags(self.name).get(str(version))
        if number is None or not 0 < number <= known.head:
            raise NoSuchVersion(
                f"{self.name} has no version or tag {version!r}.", hint="`maru versions` lists them."
            )
        return number

    def tag(self, name: str, version: str | int | Version = LATEST, *, move: bool = False) -> None:
        """Gives a version another name; AlreadyExists if the tag points elsewhere, unless ``move``."""
        self._ledger.set_tag(self.name, check_tag(name), self.number(version), move=move)

    def untag(self, name: str) -> None:
        """Takes a tag away."""
        self._ledger.remove_tag(self.name, check_tag(name))

    def drop(self, version: str | int | Version, *, delay_s: float = DELAY_S) -> None:
        """Hides a version. It can be restored with :meth:`undrop`; nothing is freed before the delay."""
        self._ledger.drop(self.name, self.number(version), check_delay(delay_s))

    def undrop(self, version: str | int) -> Version:
        """Brings a dropped version back."""
        number = self.number(version)
        self._ledger.undrop(self.name, number)
        return self[number]

    def diff(self, before: str | int | View, after: str | int | View = LATEST) -> Diff:
        """What differs between two versions (or views)."""
        old, new = (v if isinstance(v, View) else self[v] for v in (before, after))
        return compare(old, new)

    def label_sets(self) -> list[LabelRevision]:
        """Every revision of every label set: who, when, from what."""
        return label_revisions(self._ledger, self.name)

    # -- split

    @property
    def split_key(self) -> int:
        """The pool's key of the split."""
        return self._ns.store.split_key

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

    def split_rule(self, fractions: Sequence[float] | None, group: str | None) -> SplitRule:
        """The rule that holds; the first use fixes it. Refused if another is asked for."""
        known = self._known()
        kept = None if known.split is None else SplitRule.from_json(known.split)
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
            hint="Use that, or change it for all: set_split(..., replace=True).",
        )

    def save_view(self, view: View) -> None:
        """Keeps a view under its digest."""
        positions = view.positions
        raw = b"" if positions is None else positions.astype("<u8").tobytes()
        root = view.manifest.root
        payload = ViewRow(
            self.name, root.version, view.version_digest, len(view), positions is None, view.is_split
        )
        self._ledger.save_view(view.digest, payload, raw)

    # -- inside

    def _known(self) -> DatasetRow:
        row = self._ledger.dataset(self.name)
        if row is None:
            raise NoSuchDataset(f"there is no dataset {self.name!r}.", hint="`maru commit` makes one.")
        return row

    def _open_latest(self, seen: DatasetRow | None) -> Version | None:
        if seen is None or not seen.latest:
            return None
        return self._version(self._ledger.version(self.name, seen.latest))

    def _version(self, row: Row, *, is_new: bool = False) -> Version:
        manifest = Manifest(self._ns.store, self._ledger.root(row))
        return Version(manifest, VersionInfo.of_row(row), self, is_new=is_new)

    def _sources(self, source: str | Sequence[str] | None, before: Version | None) -> list[Source]:
        if source is None:
            if before is None:
                raise InvalidInput(
                    f"{self.name} has no version yet.", hint="Say what to commit: BUCKET/FOLDER/."
                )
            return parse_sources(before.info.sources)
        return parse_sources([source] if isinstance(source, str) else source)

    def _arrivals(
        self, sources: list[Source], before: Version | None, progress: Progress | None
    ) -> tuple[Arrivals, bool]:
        """What is new; and whether more rows are removed than live, so that all are laid out afresh."""
        manifest = before.manifest if before else None
        scan = self._ns.listing.scan
        arrivals = ArrivalScan(self.split_key, manifest).run(listings(scan, sources), progress)
        if manifest is None:
            return arrivals, False
        dead = manifest.root.positions - manifest.root.rows + len(arrivals.gone)
        live = manifest.root.rows - len(arrivals.gone) + arrivals.base.num_rows
        changed = len(arrivals.gone) or arrivals.base.num_rows
        if not changed or dead <= max(live, _REPACK_ROWS):
            return arrivals, False
        again = ArrivalScan(self.split_key, manifest, repack=True)
        return again.run(listings(scan, sources), progress), True

    def _label(self, labels: LabelFile, name: str, message: str) -> LabelReport | None:
        seen = self._known()
        before = self._open_latest(seen) or self.latest
        buckets = list(dict.fromkeys(source.bucket for source in parse_sources(before.info.sources)))
        joined = join(before.manifest, labels, buckets)
        draft = label_draft(self._ns.store, before.manifest, labels, joined, name=name, number=seen.head + 1)
        version: Version | None = before
        if draft.digest != before.digest:
            version = self._publish_labels(draft, seen, before, message)
        if version is None:
            return None
        return LabelReport(
            version=version,
            matched=joined.matched,
            unlabelled=len(before) - joined.matched,
            unmatched=joined.unmatched,
            unmatched_count=joined.unmatched_count,
            bytes_written=draft.appended_bytes,
        )

    def _publish_labels(
        self, draft: Draft, seen: DatasetRow, before: Version, message: str
    ) -> Version | None:
        assert draft.labels is not None
        name, revision, labels = draft.labels
        draft.labels = (name, revision, replace(labels, message=message))
        draft.message, draft.sources = message, before.info.sources
        row = self._ledger.publish(draft, seen)
        return None if row is None else self._version(row, is_new=True)
