"""The lander: brings one chunk of entries to where the hub has them.

What the hub has (same key, size and time) is not read. What it may have is read and
compared by SHA-256; then only labels or time may change. The rest is put, a chunk a
commit (less where the hub is nearly full), so an ingest killed at any point has whole objects and no others. Safe from many
threads, each with its own chunk.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Final, TypeVar

from maruhub.errors import Conflict, InvalidInput, NoSuchKey
from maruhub.ingest.destination import Destination, Update
from maruhub.ingest.entry import Content, Entry, Refusal
from maruhub.ingest.options import IngestOptions
from maruhub.ingest.reason import EntryRefused, Reason
from maruhub.ingest.sample import Arrivals, Sample, read_whole
from maruhub.ingest.source import Source
from maruhub.ingest.tally import Tally
from maruhub.namespace import PutItem

T = TypeVar("T")

# The machine's own table of types would make the same file another object elsewhere.
_TYPES: Final = mimetypes.MimeTypes(filenames=())
_ENDING_CHARS_MAX: Final = 16
_READ_BYTES: Final = 1 << 20


class Lander:
    """Lands chunks of a source in a bucket.

    Args:
        destination: Where it lands.
        source: Gives the bytes of the entries.
        bucket: Made by the first put if there is none.
        prefix: In front of every name: empty, or ending in ``/``.
        options: Labels, ``recheck``, what is large.
        tally: Is told what became of each entry.
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
        self._recheck = options.recheck
        self._large_bytes = options.large_bytes
        self._tally = tally
        self._arrivals = Arrivals(
            destination, source, bucket=bucket, prefix=prefix, options=options, tally=tally
        )
        self._types: dict[str, str | None] = {}

    def land(self, chunk: Sequence[Entry]) -> None:
        """Stores what is new of a chunk. Raises what the hub raises, such as NoSpace."""
        settled: list[Sample] = []
        small: list[Sample] = []
        large: list[Sample] = []
        for sample in self._arrivals.look_up(chunk):
            if sample.has_bytes and not self._recheck:
                settled.append(sample)
            elif 0 <= sample.entry.size <= self._large_bytes:
                small.append(sample)
            else:
                large.append(sample)
        self._settle(settled)
        self._land_small(small)
        for sample in large:
            self._land_large(sample)
        self._tally.passed(len(chunk), sum(max(entry.size, 0) for entry in chunk))

    def _settle(self, samples: Sequence[Sample]) -> None:
        """The bytes are there; labels or time may not be."""
        other = [sample for sample in samples if not sample.is_settled]
        self._tally.done(unchanged=len(samples) - len(other))
        self._each_at_fault(other, self._update, name=_name_of)

    def _update(self, samples: Sequence[Sample]) -> None:
        updates = [
            Update(
                sample.key,
                sample.metadata,
                sample.entry.mtime_ns,
                # Whoever put other bytes meanwhile must not get this file's time.
                if_match=sample.current.etag if sample.current else None,
            )
            for sample in samples
        ]
        self._destination.update(self._bucket, updates)
        self._tally.done(metadata_updated=len(samples))

    def _land_small(self, samples: Sequence[Sample]) -> None:
        items: list[PutItem] = []
        same: list[Sample] = []
        contents = read_whole(self._source, [sample.entry for sample in samples], self._tally)
        for sample, content in zip(samples, contents, strict=True):
            if content is None:
                continue
            if _is_same(sample, content):
                same.append(sample._replace(entry=sample.entry._replace(mtime_ns=content.mtime_ns)))
            else:
                items.append(self._item(sample, content))
        self._settle(same)
        while items:
            with self._destination.taken([len(item.data) for item in items]) as count:
                self._each_at_fault(items[:count], self._put, name=lambda item: item.key)
            del items[:count]

    def _item(self, sample: Sample, content: Content) -> PutItem:
        kind = self._content_type(sample.key)
        return PutItem(sample.key, content.data, kind, sample.metadata or None, content.mtime_ns)

    def _content_type(self, key: str) -> str | None:
        ending = key[key.rfind(".") :].lower()
        if len(ending) > _ENDING_CHARS_MAX or "/" in ending:
            return None
        if ending not in self._types:
            self._types[ending] = _TYPES.guess_type("x" + ending)[0]
        return self._types[ending]

    def _put(self, items: Sequence[PutItem]) -> None:
        self._destination.put_many(self._bucket, items)
        self._tally.done(stored=len(items), bytes_stored=sum(len(item.data) for item in items))

    def _each_at_fault(
        self, items: Sequence[T], act: Callable[[Sequence[T]], None], *, name: Callable[[T], str]
    ) -> None:
        """Does all at once; when one is refused, halves find it, so that it spares the others."""
        if not items:
            return
        try:
            act(items)
        except (InvalidInput, Conflict, NoSuchKey) as error:
            if len(items) > 1:
                half = len(items) // 2
                self._each_at_fault(items[:half], act, name=name)
                self._each_at_fault(items[half:], act, name=name)
                return
            self._refuse(name(items[0]), EntryRefused(_reason(error), str(error)))

    def _land_large(self, sample: Sample) -> None:
        for last in (False, True):
            try:
                if sample.may_have_bytes and self._digest(sample.entry) == _held(sample):
                    self._settle([sample])
                else:
                    self._put_stream(sample)
                return
            except EntryRefused as refused:
                if last or refused.reason is not Reason.CHANGED:
                    self._refuse(sample.entry.name, refused)
                    return
            except InvalidInput as error:
                self._refuse(sample.entry.name, EntryRefused(_reason(error), str(error)))
                return

    def _digest(self, entry: Entry) -> bytes:
        digest = hashlib.sha256()
        with closing(self._source.open(entry)) as stream:
            while piece := stream.read(_READ_BYTES):
                digest.update(piece)
                self._tally.read(len(piece))
        return digest.digest()

    def _put_stream(self, sample: Sample) -> None:
        sizes = [sample.entry.size]
        with closing(self._source.open(sample.entry)) as stream, self._destination.taken(sizes):
            kind = self._content_type(sample.key)
            item = PutItem(sample.key, b"", kind, sample.metadata or None, stream.mtime_ns)
            size = self._destination.put_stream(self._bucket, item, stream)
        self._tally.read(size)
        self._tally.done(stored=1, bytes_stored=size)

    def _refuse(self, name: str, refused: EntryRefused) -> None:
        self._tally.refuse(Refusal.of(name, refused))


def _is_same(sample: Sample, content: Content) -> bool:
    if sample.current is None or sample.current.size != len(content.data):
        return False
    return hashlib.sha256(content.data).digest() == sample.current.sha256


def _held(sample: Sample) -> bytes:
    return sample.current.sha256 if sample.current else b""


def _name_of(sample: Sample) -> str:
    return sample.entry.name


def _reason(error: Exception) -> Reason:
    return Reason.INVALID if isinstance(error, InvalidInput) else Reason.CHANGED
