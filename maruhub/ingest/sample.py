"""A sample on its way in: where it goes, what it is labelled, what the hub holds there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from maruhub.ingest.destination import Destination, Held
from maruhub.ingest.entry import Content, Entry, Refusal, check_key
from maruhub.ingest.options import IngestOptions
from maruhub.ingest.reason import EntryRefused
from maruhub.ingest.sidecar import ENDINGS, parse_sidecar
from maruhub.ingest.source import Source
from maruhub.ingest.tally import Tally


class Sample(NamedTuple):
    """An entry and what is known of its place; ``current`` is None where nothing is."""

    entry: Entry
    key: str
    metadata: Mapping[str, str]
    current: Held | None

    @property
    def has_bytes(self) -> bool:
        """Whether size and time say that the hub holds these very bytes."""
        entry, current = self.entry, self.current
        if current is None or entry.mtime_ns is None:
            return False
        return current.size == entry.size and current.mtime_ns == entry.mtime_ns

    @property
    def may_have_bytes(self) -> bool:
        """Whether only a look at the bytes can tell."""
        return self.current is not None and self.entry.size in (-1, self.current.size)

    @property
    def is_settled(self) -> bool:
        """Whether labels and time are as the source has them; the bytes aside."""
        current = self.current
        if current is None or self.entry.mtime_ns not in (None, current.mtime_ns):
            return False
        if not self.metadata:
            return True
        held = current.metadata
        return all(held.get(name) == value for name, value in self.metadata.items())


def read_whole(source: Source, entries: Sequence[Entry], tally: Tally) -> list[Content | None]:
    """The bytes of small entries; None for one that was refused, and told to the tally."""
    got: list[Content | None] = []
    for each in source.read_many(entries) if entries else ():
        if isinstance(each, Refusal):
            tally.refuse(each)
            got.append(None)
        else:
            got.append(each)
    tally.read(sum(len(each.data) for each in got if each is not None))
    return got


class Arrivals:
    """Makes samples of entries: gives them keys and labels, looks up what the hub has.

    Args:
        destination: Where it lands.
        source: Where sidecars are read.
        bucket: Where they go.
        prefix: In front of every name.
        options: Which labels.
        tally: Is told what can't be.
    """

    def __init__(
        self,
        destination: Destination,
        source: Source,
        *,
        bucket: str,
        prefix: str,
        options: IngestOptions,
        tally: Tally,
    ) -> None:
        self._destination = destination
        self._source = source
        self._bucket = bucket
        self._prefix = prefix
        self._labels = options.labels
        self._tally = tally

    def look_up(self, entries: Sequence[Entry]) -> list[Sample]:
        """One look-up for all; entries whose names can't be keys are left out."""
        fitting, keys = [], []
        for entry in entries:
            key = self._prefix + entry.name
            try:
                check_key(key)
            except EntryRefused as refused:
                self._tally.refuse(Refusal.of(entry.name, refused))
                continue
            fitting.append(entry)
            keys.append(key)
        infos = self._destination.look_up(self._bucket, keys) if keys else ()
        rows = zip(fitting, keys, self._metadata(fitting), infos, strict=True)
        return [Sample(*row) for row in rows]

    def _metadata(self, entries: Sequence[Entry]) -> list[dict[str, str]]:
        metadata = [dict(entry.metadata or ()) for entry in entries]
        if self._labels == "folder":
            for entry, own in zip(entries, metadata, strict=True):
                folder, slash, _ = entry.name.partition("/")
                if slash:
                    own["label"] = folder
        elif self._labels == "sidecar":
            self._read_sidecars(entries, metadata)
        return metadata

    def _read_sidecars(self, entries: Sequence[Entry], metadata: Sequence[dict[str, str]]) -> None:
        asked = list({each.name: each for entry in entries for each in entry.sidecars}.values())
        found: dict[str, dict[str, str]] = {}
        for sidecar, got in zip(asked, read_whole(self._source, asked, self._tally), strict=True):
            try:
                if got is not None:
                    found[sidecar.name] = parse_sidecar(sidecar.name, got.data)
            except EntryRefused as refused:
                self._tally.refuse(Refusal.of(sidecar.name, refused))
        for entry, own in zip(entries, metadata, strict=True):
            for sidecar in sorted(entry.sidecars, key=_rank):
                own.update(found.get(sidecar.name, {}))


def _rank(sidecar: Entry) -> int:
    return ENDINGS.index(sidecar.name.rpartition(".")[2].lower())
