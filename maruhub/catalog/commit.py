"""A commit: what lies in the bucket now becomes the next version.

Optimistic: the draft is made without any lock, and published only if the dataset is still
where it was seen; otherwise it is made again on top of what the others committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from maruhub import argument
from maruhub.catalog.arrival import Arrivals, ArrivalScan, Progress, listings
from maruhub.catalog.growth import Growth
from maruhub.catalog.line import Line
from maruhub.catalog.row import DatasetRow
from maruhub.catalog.source import Source, parse_sources
from maruhub.catalog.version import Version
from maruhub.errors import Busy, InvalidInput

ATTEMPTS: Final = 20
"""How often a commit starts again because others were faster."""

_REPACK_ROWS: Final = 1024


class Commit:
    """One commit of a dataset; ``Dataset.commit`` says what the arguments mean."""

    def __init__(
        self,
        line: Line,
        source: str | Sequence[str] | None,
        *,
        message: str = "",
        progress: Progress | None = None,
        allow_empty: bool = False,
    ) -> None:
        self._line = line
        self._source = source
        self._message = message
        self._progress = progress
        self._allow_empty = allow_empty

    def run(self) -> Version:
        """The new version, or the latest one if nothing changed."""
        for _ in range(ATTEMPTS):
            version = self._attempt(self._line.ledger.dataset(self._line.name))
            if version is not None:
                return version
        raise Busy(f"others keep committing to {self._line.name}.", hint="Try again.")

    def _attempt(self, seen: DatasetRow | None) -> Version | None:
        # Before anything is read: bytes that are left out of a segment later were alive here.
        snapshot = self._line.ns.store.commit(lambda rows: rows.counter)
        before = self._line.basis(seen)
        sources = self._sources(before)
        arrivals, repack = self._arrivals(sources, before)
        if not arrivals.seen and not self._allow_empty:
            raise _nothing_below(*sources)
        if before is not None and not before.info.dropped and not repack and not arrivals:
            return before
        manifest = before.manifest if before else None
        growth = Growth(self._line.ns.store, manifest, arrivals, repack=repack)
        draft = growth.draft(self._line.name, seen.head + 1 if seen else 1)
        draft.message, draft.sources = self._message, tuple(map(str, sources))
        draft.basis, draft.snapshot = before.number if before else 0, snapshot
        row = self._line.ledger.publish(draft, seen)
        return None if row is None else self._line.open(row, is_new=True)

    def _sources(self, before: Version | None) -> list[Source]:
        if self._source is not None:
            source = self._source
            named = [source] if isinstance(source, str) else argument.texts("source", source)
            if not self._allow_empty:
                self._check_each(named)
            return parse_sources(named)
        if before is None:
            raise InvalidInput(
                f"{self._line.name} has no version yet.", hint="Say what to commit: BUCKET/FOLDER/."
            )
        return parse_sources(before.info.sources)

    def _check_each(self, texts: Sequence[str]) -> None:
        """Of what a person names each must hold something: a misspelt one would go unnoticed."""
        if not texts:
            raise InvalidInput("no source is named.", hint="Say what to commit: BUCKET/FOLDER/.")
        for text in texts:
            source = Source.of(text)
            page = self._line.ns.listing.page(source.bucket, prefix=source.prefix, limit=1)
            if not page.objects:
                raise _nothing_below(source)

    def _arrivals(self, sources: list[Source], before: Version | None) -> tuple[Arrivals, bool]:
        """What is new; and whether more rows are removed than live, so that all are laid out afresh."""
        arrivals = self._scan(sources, before)
        if before is None or not arrivals:
            return arrivals, False
        root = before.manifest.root
        dead = root.positions - root.rows + len(arrivals.gone)
        live = root.rows - len(arrivals.gone) + arrivals.base.num_rows
        if dead <= max(live, _REPACK_ROWS):
            return arrivals, False
        return self._scan(sources, before, repack=True), True

    def _scan(self, sources: list[Source], before: Version | None, *, repack: bool = False) -> Arrivals:
        ns = self._line.ns
        scan = ArrivalScan(ns.store.split_key, before.manifest if before else None, repack=repack)
        return scan.run(listings(ns.listing.scan, sources), self._progress)


def _nothing_below(*sources: Source) -> InvalidInput:
    return InvalidInput(
        f"there is nothing below {', '.join(map(str, sources))}; nothing was committed.",
        hint="Check the name with `maru ls`.",
        python_hint="Check the name; allow_empty=True takes it as it is.",
    )
