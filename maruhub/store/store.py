"""The store of a pool: segments on blades behind the ``Store`` protocol."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from maruhub.errors import MaruError, ReadOnly
from maruhub.index.protocol import Index
from maruhub.store.admission import Admission, Work
from maruhub.store.blades import Blades
from maruhub.store.commit.clock import CounterMark, read_moment
from maruhub.store.commit.gate import Gate
from maruhub.store.commit.log import Log
from maruhub.store.commit.turn import Decide
from maruhub.store.format.extent import Blob, Blobs, Extent, ExtentArray
from maruhub.store.format.identity import BladeIdentity
from maruhub.store.format.keys import LAYOUT_PREFIX, STATE_KEY, segment_of
from maruhub.store.format.layout import Layout, decode_layout
from maruhub.store.format.packing import Load
from maruhub.store.format.row import Row, RowBatch
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.format.state import decode_state
from maruhub.store.heal import heal_copies
from maruhub.store.protocol import Buffer, Change, Proposal, T, prefix_end, scan_all
from maruhub.store.read.audit import Audit, AuditResult, BadCopy
from maruhub.store.read.layouts import Layouts
from maruhub.store.read.reader import ReadCounts, Reader
from maruhub.store.recover.checkpoint import Checkpoint, write_checkpoint
from maruhub.store.seal.act import Acts
from maruhub.store.seal.live import Resolve, find_live
from maruhub.store.seal.placement import scheme
from maruhub.store.sealer import Sealer
from maruhub.store.writing import WritingSide

_living: weakref.WeakSet[PoolStore] = weakref.WeakSet()


_BULK_BYTES_LEAST: Final = 8 << 20
"""Less isn't worth the syncs of strips."""
_SHARE: Final = 5
"""Nor is less than this part of a segment: its files are there, and read, for as long as its bytes."""
_PATIENT_BYTES: Final = 1 << 20
"""An append of so much waits while sealing is behind; smaller ones hardly add to it."""
_SEGMENTS_BEHIND: Final = 1
_PATIENCE_S: Final = 10.0


class PoolStore:
    """``Store`` over an index and blades; see there for the promises.

    Args:
        index: Complete: recovery has run.
        blades: Those that answer, and the ids of those that don't.
        identity: The pool's parameters, as on any of its blades.
        open_mark: Opens the counter shared by the processes; None for a read-only store.
        resolve: What the bytes of rows that name segments as a whole point to.
        seals: Whether this process seals by itself what it has filled.
        admission: Hears of work, so that whoever has time waits; None: nobody else is there.
        bulk_bytes: So much in one append goes straight into strips; None: what suits the pool.
    """

    def __init__(
        self,
        index: Index,
        blades: Blades,
        identity: BladeIdentity,
        *,
        open_mark: Callable[[], CounterMark] | None,
        resolve: Resolve = lambda _: None,
        seals: bool = False,
        admission: Admission | None = None,
        bulk_bytes: int | None = None,
    ) -> None:
        self.blades = blades
        blades.heed(index)
        self._index = index
        self._identity = identity
        self._open_mark = open_mark
        self._layouts = Layouts(index, blades.answering, lambda: blades.changes)
        self._reader = Reader(self._layouts, blades)
        self._resolve = resolve
        self._seals = seals
        self._admission = admission
        self._bulk_bytes = (
            max(_BULK_BYTES_LEAST, identity.segment_bytes // _SHARE) if bulk_bytes is None else bulk_bytes
        )
        self._sealer = Sealer(self._seal)
        self._writing: WritingSide | None = None
        self._given_up: dict[int, Log] = {}
        self._lock = threading.Lock()
        self._gate = Gate()
        _living.add(self)

    @property
    def pool_id(self) -> bytes:
        """16 random bytes, the same on every blade."""
        return self._identity.pool_id

    @property
    def created_us(self) -> int:
        """Wall time when the pool was made, microseconds since 1970."""
        return self._identity.created_us

    @property
    def bulk_bytes(self) -> int:
        """See ``Store.bulk_bytes``."""
        return self._bulk_bytes if scheme(len(self.blades)).data > 1 else 0

    @property
    def split_key(self) -> int:
        """Seed of the pool's split hash."""
        return self._identity.split_key

    @property
    def read_counts(self) -> ReadCounts:
        """What this process has read, and from how many bad copies."""
        return self._reader.counts

    def append(self, blobs: Sequence[Buffer], segment_class: SegmentClass = SegmentClass.RAW) -> list[Blob]:
        """See ``Store.append``."""
        if self._admission is not None:
            self._admission.note(Work.BULK)
        views = [memoryview(blob).cast("B") for blob in blobs]
        size_bytes = sum(map(len, views))
        load = Load(views)
        made: list[int] = []
        if size_bytes >= self._bulk_bytes:
            with self._gate.passing():
                made = self._writer_side().bulk.append(load, segment_class)
        if load.pieces:
            if self._seals and size_bytes >= _PATIENT_BYTES:
                self._sealer.keep_up(_SEGMENTS_BEHIND, _PATIENCE_S)
            with self._gate.passing():
                side = self._writer_side()
                try:
                    side.writer.append(load, segment_class)
                except BaseException:
                    side.bulk.forget(made)
                    # Nobody hears where these are, so nobody can name them.
                    side.writer.settled(load.placed())
                    raise
        return load.blobs()

    def disclaim(self, extents: Iterable[Extent]) -> None:
        """See ``Store.disclaim``."""
        if self._gate.is_shut:
            return
        with self._gate.passing():
            if self._writing is not None:
                self._writing.writer.settled(extents)

    def commit(self, change: Change[T], *, actor: str = "", request: bytes = b"") -> T:
        """See ``Store.commit``."""
        with self._gate.passing():
            return self._writer_side().turn.commit(Proposal(change, actor, request))

    def commit_each(self, proposals: Sequence[Proposal[T]]) -> list[T | Exception]:
        """See ``Store.commit_each``."""
        with self._gate.passing():
            return self._writer_side().turn.commit_each(proposals)

    def _writer_side(self) -> WritingSide:
        side = self._writing
        if side is None:
            with self._lock:
                side = self._writing = self._writing or self._begin_writing()
        return side

    def _begin_writing(self) -> WritingSide:
        if self._open_mark is None:
            raise ReadOnly("This hub is open read-only.", hint="Open it where its folders can be written.")
        mark = self._open_mark()
        mark.pool_is_new = self._is_new()
        return WritingSide(
            self._index,
            self.blades,
            self._identity,
            mark=mark,
            given_up=self._given_up,
            reader=self._reader,
            resolve=self._resolve,
            closed=self._hear_closed,
            bulk_bytes=self._bulk_bytes,
        )

    def _is_new(self) -> bool:
        """Whether nothing was ever written here, by anybody."""
        if decode_state(self._index.get_many([STATE_KEY])[0]).counter or self.blades.missing:
            return False
        try:
            return not any(blade.names() for blade in self.blades)
        except OSError:
            return False

    def get_many(self, keys: Sequence[bytes]) -> RowBatch:
        """See ``Store.get_many``."""
        return RowBatch(keys, self._index.get_many(keys))

    def scan(self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        """See ``Store.scan``."""
        return [Row(key, raw) for key, raw in self._index.scan(start, stop, limit, reverse=reverse)]

    def read_many(self, blobs: Blobs, *, verify: bool = True) -> list[memoryview | MaruError]:
        """See ``Store.read_many``."""
        if self._admission is not None:
            self._admission.note(Work.FOREGROUND)
        return self._reader.read_many(blobs, verify=verify)

    def read_at_once(self, extent: Extent, buffer: bytearray | None = None) -> bytearray | None:
        """A checked copy of one extent, if that takes no waiting for a drive; None: read it otherwise.

        It is made in ``buffer``, where that has the extent's length.
        """
        return self._reader.read_at_once(extent, buffer)

    def announce(self, extents: ExtentArray) -> None:
        """See ``Store.announce``."""
        self._reader.announce(extents)

    def drop_from_memory(self, extents: ExtentArray) -> None:
        """Asks the kernel to forget the files of ``EXTENT_DTYPE[n]``, for cold measurements."""
        self._reader.drop_from_memory(extents)

    def layouts(self) -> Iterator[Layout]:
        """The layout of every segment on record."""
        for row in scan_all(self, LAYOUT_PREFIX, prefix_end(LAYOUT_PREFIX)):
            yield decode_layout(segment_of(row.key), row.payload)

    def audit(self, extents: Sequence[Extent]) -> AuditResult:
        """Reads every copy of every extent; sorted by segment they are read in one go."""
        return Audit(self._layouts, self.blades).run(extents)

    def heal(self, bad: Sequence[BadCopy]) -> int:
        """Puts right what an audit found wrong in full copies; how many extents."""
        return heal_copies(self.blades, self._reader, bad)

    def live_extents(self, segment: int) -> ExtentArray:
        """What lives in a segment, sorted by offset; Unavailable if it can't be told."""
        return find_live(self._index, segment, self._resolve).extents

    def checkpoint(self) -> Checkpoint:
        """Logs all rows again, so that a rebuild may begin here; writers go on meanwhile."""
        with self._gate.passing():
            side = self._writer_side()
            # Parts of two at once would be taken for each other's.
            with side.acts.checkpointing():
                return write_checkpoint(side.turn)

    def restate(self, decide: Decide) -> None:
        """Sets rows of the store itself, in a turn of their own; see ``CommitTurn.restate``."""
        with self._gate.passing():
            self._writer_side().turn.restate(decide)

    def close_logs(self, least_bytes: int) -> None:
        """Closes every log that nobody else writes and that holds so much, so that it can be sealed."""
        with self._gate.passing():
            side = self._writer_side()
            side.writer.retire_idle(least_bytes)
            seals, self._seals = self._seals, False
            try:
                side.turn.record_closed()
            finally:
                self._seals = seals

    @contextmanager
    def acting(self) -> Iterator[Acts]:
        """Acts on segments; writers go on meanwhile, and this process's logs stay its own."""
        with self._gate.passing():
            yield self._writer_side().acts

    def _hear_closed(self, segment: int) -> None:
        if self._seals:
            self._sealer.add(segment)

    def _seal(self, segment: int) -> None:
        """After the writers of a segment were acknowledged; not where full copies are to stay, nor twice."""
        layout = self._layouts.refresh(segment)
        if layout is None or layout.strips is not None:
            return
        self.blades.await_late()
        if scheme(len(self.blades.rooms())).data > 1:
            with self.acting() as acts:
                acts.recut(segment)

    @property
    def is_closed(self) -> bool:
        """Whether it was closed: nothing can be asked of it any more."""
        return self._gate.is_shut

    @property
    def counter(self) -> int:
        """The counter of the last change; it stands still while nothing happens."""
        return decode_state(self._index.get_many([STATE_KEY])[0]).counter

    def pool_time_us(self) -> int:
        """The pool clock now, microseconds."""
        return decode_state(self._index.get_many([STATE_KEY])[0]).pool_time_at(read_moment())

    def close(self) -> None:
        """Seals what is full, lets go of logs, files and the index; views live on. Idempotent.

        Whatever is asked of the store from then on is Unavailable.
        """
        self._sealer.wait()
        with ExitStack() as rest:
            # All of it, also where a part fails.
            rest.callback(self._index.close)
            rest.callback(self._reader.close)
            rest.callback(self._sealer.wait)
            with self._gate.shutting():
                self._let_go_of_logs()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Without this process's logs: another may adopt them, or the index be made anew.

        Waits for the writes under way; later ones wait for the end, and take a log again.
        """
        with self._gate.alone():
            self._let_go_of_logs()
            yield

    def _let_go_of_logs(self) -> None:
        side, self._writing = self._writing, None
        if side is not None:
            side.close()

    def after_fork(self) -> None:
        """In the child: the parent's logs are the parent's; locks may be held by dead threads."""
        side, self._writing = self._writing, None
        self._lock = threading.Lock()
        self._gate = self._gate.after_fork()
        self._sealer = Sealer(self._seal)
        if side is not None:
            side.disown()
        self._layouts = Layouts(self._index, self.blades.answering, lambda: self.blades.changes)
        self._reader = Reader(self._layouts, self.blades)
        if self._gate.is_shut:
            self._reader.close()


def _after_fork_in_child() -> None:
    for store in list(_living):
        store.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
