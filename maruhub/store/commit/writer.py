"""The writer of one process: at most one open log a class, adopted or new.

It appends objects and keeps the logs; it knows nothing of rows but their bytes. The commit
turn tells it when a log's layout is on record.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from maruhub.errors import MaruError, NoSpace, Unavailable
from maruhub.store.blade import OUT_OF_DESCRIPTORS
from maruhub.store.blades import Blades
from maruhub.store.commit.holds import Holds
from maruhub.store.commit.log import LeftLogs, Log
from maruhub.store.commit.unborn import Unborn
from maruhub.store.copies import Copies, Copy, blade_error
from maruhub.store.format.extent import Extent
from maruhub.store.format.header import SegmentHeader, encode_header, log_name
from maruhub.store.format.identity import BLOCK_BYTES
from maruhub.store.format.layout import Layout
from maruhub.store.format.packing import Load, Piece, extents_at
from maruhub.store.format.row import Row
from maruhub.store.format.segment_class import SegmentClass

_COPY_BYTES = 4 << 20


class Writer:
    """Open logs of one process. Appends from any thread; the rest inside the commit turn.

    ``closed`` hears of each segment that is on record as closed. ``given_up`` holds logs that failed or were let go with unsynced bytes, by segment; it
    outlives the writer, for what was appended through it may be named later.
    """

    def __init__(
        self,
        blades: Blades,
        left: LeftLogs,
        *,
        pool_id: bytes,
        segment_bytes: int,
        given_up: dict[int, Log],
        unborn: Unborn,
        holds: Holds,
        closed: Callable[[int], None],
    ) -> None:
        self._blades = blades
        self._left = left
        self._pool_id = pool_id
        self._segment_bytes = segment_bytes
        self._open: dict[SegmentClass, Log] = {}
        self._retired: list[Log] = []
        self._failed: set[int] = set()
        self._finished: set[int] = set()
        self.given_up = given_up
        self._unborn = unborn
        self._holds = holds
        self._closed = closed
        self._held: dict[int, set[int]] = {}
        self._lock = threading.Lock()

    def append(self, load: Load, segment_class: SegmentClass) -> None:
        """Writes all pieces of a load, rolling over to new logs as they fill."""
        while load.pieces:
            log = self.log_for(segment_class)
            start, rest = log.reserve(load.pieces)
            taken = load.pieces[: len(load.pieces) - len(rest)]
            if taken:
                offsets = self._fill(log, start, taken)
                load.place(extents_at(log.segment, taken, offsets))

    def _fill(self, log: Log, start: int, taken: Sequence[Piece]) -> list[int]:
        try:
            return log.fill(start, taken)
        except MaruError:
            self.abandon(log)
            raise

    def log_for(self, segment_class: SegmentClass) -> Log:
        """The open log of a class; a full one is retired and the next begun."""
        with self._lock:
            log = self._open.get(segment_class)
            if log is not None and (log.full or self._lacks_room(log)):
                self._retired.append(self._open.pop(segment_class))
                log = None
            while log is None or log.full:
                if log is not None:
                    self._retired.append(log)
                log = self._adopted(segment_class) or self._create(segment_class)
                self._hold(log)
            self._open[segment_class] = log
            return log

    def _adopted(self, segment_class: SegmentClass) -> Log | None:
        log = self._left.adopt(segment_class, self._failed)
        if log is not None and self._lacks_room(log):
            # Others' drives may have room; care closes this one.
            log.close()
            return None
        return log

    def _lacks_room(self, log: Log) -> bool:
        """Whether new data would use the reserve; records, which deletes need too, may."""
        is_meta = log.layout.segment_class is SegmentClass.META
        return not self._blades.have_room(log.copies.good, essential=is_meta)

    def _hold(self, log: Log) -> None:
        try:
            self.hold(log.segment, log.unnamed)
        except MaruError:
            log.close()
            raise

    def hold(self, segment: int, unnamed: set[int]) -> None:
        """Keeps acts off a segment for as long as bytes that this process wrote there aren't named.

        ``unnamed``: their offsets; shared with the caller.
        """
        try:
            self._holds.add(segment)
        except OSError as error:
            raise blade_error([error], "opening a segment") from error
        self._held[segment] = unnamed

    def let_go(self, segment: int) -> None:
        """Nobody will name what isn't named by now."""
        with self._lock:
            if self._held.pop(segment, None) is not None:
                self._holds.remove(segment)

    def settled(self, extents: Iterable[Extent]) -> None:
        """Hears which bytes committed rows name, and which none ever will.

        A closed segment of which nothing else is left is let go of.
        """
        for extent in extents:
            unnamed = self._held.get(extent.segment)
            if unnamed is not None:
                unnamed.discard(extent.offset)
                self._release(extent.segment)

    def _release(self, segment: int) -> None:
        """Lets a segment go that is on record as closed and all settled: acts may work on it now."""
        with self._lock:
            if segment not in self._finished or self._held.get(segment, True):
                return
            del self._held[segment]
            self._holds.remove(segment)
        self._closed(segment)

    def finished(self, segment: int) -> None:
        """Hears that a segment is on record as closed."""
        with self._lock:
            self._finished.add(segment)

    def holds(self, segment: int) -> bool:
        """Whether the segment's log is this process's and not on record as closed."""
        with self._lock:
            return any(log.segment == segment for log in (*self._open.values(), *self._retired))

    def _create(self, segment_class: SegmentClass) -> Log:
        segment = secrets.randbits(64)
        # Records may use the reserve, and then on as many blades as ever.
        copies = self._create_files(segment, essential=segment_class is SegmentClass.META)
        ids = tuple(copy.blade.blade_id for copy in copies)
        header = SegmentHeader(
            pool_id=self._pool_id,
            segment=segment,
            segment_class=segment_class,
            generation=1,
            created_us=time.time_ns() // 1000,
            segment_bytes=self._segment_bytes,
            marker=secrets.token_bytes(16),
            blades=ids,
        )
        group = Copies(copies)
        try:
            group.write(0, [encode_header(header)])
            group.sync()
            group.sync_names()
        except BaseException:
            _unmake(log_name(segment), group, copies)
            self._unborn.remove(segment)
            raise
        for blade, failure in group.dropped:
            # A name without a header behind it would be taken for a copy one day.
            if failure.errno in (errno.ENOSPC, errno.EDQUOT):
                with contextlib.suppress(OSError):
                    blade.remove(log_name(segment))
        layout = Layout(segment, segment_class, False, 1, 1, BLOCK_BYTES, ids)
        return Log(header, group, layout=layout, end=BLOCK_BYTES)

    def _create_files(self, segment: int, *, essential: bool) -> list[Copy]:
        """Its files, one at least, once it is marked as begun."""
        wanted = self._blades.wanted(essential=essential)
        try:
            self._unborn.add(segment)
        except OSError as error:
            raise blade_error([error], "opening a new segment") from error
        copies, errors = self._blades.create_files(log_name(segment), wanted, essential=essential)
        starved = [error for error in errors if error.errno in OUT_OF_DESCRIPTORS]
        if starved:
            # It is this process that can't, and not the blades: nobody would mend what has fewer copies.
            _unmake(log_name(segment), Copies(copies), copies)
            copies, errors = [], starved
        if not copies:
            self._unborn.remove(segment)
        self._blades.require_any(copies, errors, "opening a new segment")
        return copies

    def retire_idle(self, least_bytes: int) -> None:
        """Retires every log that nobody else writes and that holds so much, or lies badly.

        Badly: on too few blades, or on one that doesn't answer or is being drained. The next turn puts on record that they are closed (``CommitTurn.record_closed``).
        """
        seen: set[int] = set()
        with self._lock:
            for segment_class, log in list(self._open.items()):
                if log.end >= least_bytes or self._lies_badly(log):
                    self._retired.append(self._open.pop(segment_class))
            while (idle := self._left.adopt_idle(seen)) is not None:
                seen.add(idle.segment)
                if idle.end >= least_bytes or self._lies_badly(idle):
                    self._hold(idle)
                    self._retired.append(idle)
                else:
                    idle.close()

    def _lies_badly(self, log: Log) -> bool:
        good = set(self._blades.answering) - self._blades.draining
        few = len(log.layout.blades) < self._blades.wanted_copies
        return few or not good.issuperset(log.layout.blades)

    def logs(self, segments: set[int]) -> list[Log]:
        """Logs of this process among ``segments`` that hold unsynced bytes, or aren't on record."""
        with self._lock:
            mine = [*self._open.values(), *self._retired]
        return [log for log in mine if log.segment in segments and (log.dirty or log.unrecorded)]

    def retired(self) -> list[Log]:
        """Full logs, closed to appends: to be synced and recorded as closed."""
        with self._lock:
            return list(self._retired)

    def forget(self, log: Log) -> None:
        """Lets go of a log that is on record as closed."""
        with self._lock:
            self._retired = [other for other in self._retired if other is not log]
        self.finished(log.segment)
        log.close()
        self._release(log.segment)

    def recorded(self, log: Log) -> None:
        """Hears that a log's layout as it is now stands in a committed turn."""
        if log.unrecorded:
            log.unrecorded = False
            self._unborn.remove(log.segment)

    def knows(self, segment: int) -> bool:
        """Whether this process answers for what was appended to a segment: it has, or had, its log."""
        with self._lock:
            mine = (*self._open.values(), *self._retired)
            return (
                segment in self._finished
                or segment in self.given_up
                or any(log.segment == segment for log in mine)
            )

    def abandon(self, log: Log) -> None:
        """Never writes a log again after its copies failed; what is in it stays."""
        with self._lock:
            self._open = {c: other for c, other in self._open.items() if other is not log}
            self._retired = [other for other in self._retired if other is not log]
            self._failed.add(log.segment)
            self.given_up[log.segment] = log
        with log.alone():
            log.close()

    def loss(self, rows: Iterable[Row]) -> MaruError | None:
        """Why bytes that rows name can't be promised: their log failed before they were synced."""
        for extent in (extent for row in rows for extent in row.extents):
            log = self.given_up.get(extent.segment)
            if log is None or extent.offset not in log.unsynced:
                continue
            if log.copies.dropped:
                return blade_error([error for _, error in log.copies.dropped], "syncing what was written")
            return Unavailable(
                "Bytes were appended, and the logs let go before a change named them.",
                hint="Append them again.",
            )
        return None

    def mend(self, log: Log) -> bool:
        """Replaces lost copies of a log on spare blades, synced; True if its layout changed."""
        if not log.copies.dropped or _blade_ids(log) == log.layout.blades:
            return False
        taken = [*log.layout.blades, *(blade.blade_id for blade, _ in log.copies.dropped)]
        with log.alone():
            lacking = self._blades.wanted_copies - len(log.copies.good)
            fresh, _ = self._blades.create_files(log_name(log.segment), lacking, avoid=taken, essential=True)
            log.copies.good += [copy for copy in fresh if _copied(log, copy)]
        log.layout = replace(log.layout, generation=log.layout.generation + 1, blades=_blade_ids(log))
        log.unrecorded = True
        return True

    def close(self) -> None:
        """Lets go of all logs; what no committed row names is dead."""
        with self._lock:
            logs = [*self._open.values(), *self._retired]
            self._open, self._retired = {}, []
        self._give_up_unsynced(logs)
        for log in logs:
            log.close()
        for segment in (*self._held,):
            del self._held[segment]
            self._holds.remove(segment)

    def _give_up_unsynced(self, logs: Sequence[Log]) -> None:
        self.given_up.update((log.segment, log) for log in logs if log.unsynced)

    def disown(self) -> None:
        """In a forked child: closes this process's descriptors; the parent keeps its locks."""
        logs = [*self._open.values(), *self._retired]
        self._give_up_unsynced(logs)
        self._holds.disown()
        for log in logs:
            for copy in log.copies.good:
                copy.file.close()


def _unmake(name: str, group: Copies, copies: Sequence[Copy]) -> None:
    """Removes files of a log that couldn't be begun, so that tries on full drives leave none."""
    for copy in copies:
        with contextlib.suppress(OSError):
            copy.blade.remove(name)
    group.close()


def _blade_ids(log: Log) -> tuple[bytes, ...]:
    return tuple(copy.blade.blade_id for copy in log.copies.good)


def _copied(log: Log, copy: Copy) -> bool:
    """Whether all of a log now stands, durable, in a fresh file; False if it can't be had."""
    target = Copies([copy])
    source = log.copies.good[0].file
    buffer = memoryview(bytearray(_COPY_BYTES))
    offset = 0
    try:
        while count := source.read_into(offset, buffer):
            target.write(offset, [buffer[:count]])
            offset += count
        target.sync()
        target.sync_names()
    except (OSError, MaruError) as error:
        # The turn goes on with the copies that it has.
        if isinstance(error, NoSpace):
            with contextlib.suppress(OSError):
                copy.blade.remove(log_name(log.segment))
        copy.close()
        return False
    return True
