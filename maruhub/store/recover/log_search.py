"""Finding the batches that the index may not have seen, log by log.

Lists the blades, takes each log's lock, reads its chain from where the index knows it.
What it finds stays locked until the caller has replayed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from maruhub.errors import Busy, Corrupt, MaruError, Unavailable
from maruhub.index.protocol import Index
from maruhub.store.blades import Blades
from maruhub.store.commit.unborn import Unborn
from maruhub.store.copies import Copy
from maruhub.store.format.batch import BatchHead
from maruhub.store.format.header import SegmentHeader, log_name, log_segment
from maruhub.store.format.identity import BLOCK_BYTES
from maruhub.store.format.keys import Tail, decode_tail, layout_key, tail_key
from maruhub.store.format.layout import decode_layout
from maruhub.store.format.row import Row
from maruhub.store.format.strip import parse_strip_name
from maruhub.store.recover.chain import Chain, read_header
from maruhub.store.recover.orphans import Orphans, close_all
from maruhub.store.recover.report import RecoveryReport
from maruhub.store.recover.strip_search import FoundStrips, Listed, find_strips

_KEYS_A_LOOKUP: Final = 1000


@dataclass
class FoundLog:
    """One log's batches behind what the index knows, first one first."""

    chain: Chain
    heads: list[BatchHead]


@dataclass(frozen=True)
class Unread:
    """Why a segment can't be read, and whether there are copies of its log."""

    error: MaruError
    has_log: bool


@dataclass
class _Files:
    """A segment's files: the blades that hold a copy of its log, and its strips."""

    logs: list[bytes] = field(default_factory=list)
    strips: list[Listed] = field(default_factory=list)


class LogSearch:
    """One search over all blades of a pool.

    Args:
        index: Says where each log is known to end.
        blades: Those that answer.
        pool_id: Logs of another pool are reported and passed over.
        report: Counted into.
        write: Open the files for mending, remove logs that were never begun.
    """

    def __init__(
        self, index: Index, blades: Blades, pool_id: bytes, report: RecoveryReport, *, write: bool = True
    ) -> None:
        self._index = index
        self._blades = blades
        self._pool_id = pool_id
        self._report = report
        self._write = write
        self.orphans = Orphans(index, blades, pool_id, report)
        self._is_partial = False
        self.unread: dict[int, Unread] = {}

    def run(self, *, from_start: bool, accept_loss: bool = False) -> list[FoundLog]:
        """Every log with batches that may be news; ``from_start``: all batches of all logs.

        A log that another process writes is passed over (``from_start``: Busy). Records
        that no copy has whole are Corrupt, unless ``accept_loss`` or the index never
        heard of the log; those that can't be read now Unavailable, unless ``accept_loss``.
        Both stand in ``unread``: the other logs may say that the segment is no more.
        """
        self.unread = {}
        self._is_partial = False
        listed = self._listed()
        tails, strangers = self._tails(list(listed), from_start=from_start)
        found = []
        for segment, tail in tails.items():
            try:
                item = self._examine(segment, listed[segment], tail, accept_loss=accept_loss)
            except Busy:
                if from_start:
                    raise
                self._is_partial = True
                continue
            except (Corrupt, Unavailable) as error:
                files = listed[segment]
                if accept_loss:
                    self._report.problems.append(error.what)
                    self.orphans.add_strips(() if files.logs else files.strips)
                elif isinstance(error, Corrupt) and segment in strangers:
                    self._pass_over(files, error.what)
                else:
                    self.orphans.add_strips(() if files.logs else files.strips)
                    self.unread[segment] = Unread(error, bool(files.logs))
                continue
            if item is not None:
                found.append(item)
            elif not listed[segment].logs:
                self.orphans.add_strips(listed[segment].strips)
        return found

    def _pass_over(self, files: _Files, why: str) -> None:
        """What nobody has heard of is damaged; strips alone may be a bulk write that died."""
        if files.logs:
            self._report.problems.append(why)
        else:
            self.orphans.add_strips(files.strips, why)

    def _listed(self) -> dict[int, _Files]:
        """Segments by what lies on the blades."""
        listed: dict[int, _Files] = {}
        self._saw_all = not self._blades.missing
        for blade in self._blades:
            try:
                names = blade.names()
            except OSError as error:
                self._report.problems.append(f"{blade!r} cannot be listed: {error.strerror}")
                continue
            for name in names:
                segment, strip = log_segment(name), parse_strip_name(name)
                if segment is not None:
                    listed.setdefault(segment, _Files()).logs.append(blade.blade_id)
                elif strip is not None:
                    listed.setdefault(strip.segment, _Files()).strips.append((blade.blade_id, strip))
        return listed

    def _tails(self, segments: Sequence[int], *, from_start: bool) -> tuple[dict[int, Tail], set[int]]:
        """Where to start in each log that may hold news, and which the index doesn't know."""
        if from_start:
            return dict.fromkeys(segments, Tail(0, 0)), set()
        tails = {}
        strangers = set()
        for at in range(0, len(segments), _KEYS_A_LOOKUP):
            some = segments[at : at + _KEYS_A_LOOKUP]
            layouts = self._index.get_many([layout_key(s) for s in some])
            ends = self._index.get_many([tail_key(s) for s in some])
            for segment, raw, end in zip(some, layouts, ends, strict=True):
                if raw is None:
                    strangers.add(segment)
                elif decode_layout(segment, Row(layout_key(segment), raw).payload).closed:
                    continue
                tails[segment] = decode_tail(end)
        return tails, strangers

    def _examine(self, segment: int, files: _Files, tail: Tail, *, accept_loss: bool) -> FoundLog | None:
        """The segment's batches behind ``tail``, or None if there are none.

        A log may lie beside strips: an act was interrupted, or a blade came back with an old
        copy. Every batch is read from whatever has it whole.
        """
        strips = self._strips_of(files)
        logs = self._blades.open_copies(log_name(segment), files.logs, write=self._write)
        self._report.segments += 1
        try:
            found = self._read(segment, logs, strips, tail, accept_loss=accept_loss)
        except BaseException:
            close_all(logs)
            raise
        if found is None or not found.heads:
            if tail.end == 0 and self._write and not strips:
                self.orphans.add_log(segment, logs)
            else:
                close_all(logs)
            return None
        return found

    def _strips_of(self, files: _Files) -> FoundStrips | None:
        try:
            return find_strips(self._blades, files.strips) if files.strips else None
        except MaruError:
            # An act that was interrupted has not touched the log that it began from.
            if files.logs:
                return None
            raise

    def _read(
        self,
        segment: int,
        logs: Sequence[Copy],
        strips: FoundStrips | None,
        tail: Tail,
        *,
        accept_loss: bool,
    ) -> FoundLog | None:
        if not all(copy.file.lock() for copy in logs):
            raise Busy(
                f"segment {segment:016x} is being written by another process.",
                hint="Stop the other processes that use this hub first.",
            )
        try:
            header = strips.segment_header() if strips else read_header(logs)
        except MaruError:
            if tail.end == 0 and logs and all(_is_unborn(copy) for copy in logs):
                return None
            raise
        self._require_own(header)
        chain = Chain(header, [*logs, *(strips.copies if strips else ())], accept_loss=accept_loss)
        if strips and not strips.header.floor:
            # A checkpoint covers all batches. Should the strips never have come to count, the log's
            # last one is still the segment's tail.
            return FoundLog(
                chain, list(islice(Chain(header, logs, accept_loss=True).candidates(tail.end), 1))
            )
        if strips:
            # Also where a log lies beside them: what comes before their floor may be damaged there.
            return FoundLog(chain, _sealed_heads(chain, strips, tail))
        return FoundLog(chain, self._heads(chain, tail, accept_loss=accept_loss))

    def _require_own(self, header: SegmentHeader) -> None:
        if header.pool_id != self._pool_id:
            raise Corrupt(
                f"segment {header.segment:016x} belongs to another pool", hint="Move its file off the blade."
            )

    def _heads(self, chain: Chain, tail: Tail, *, accept_loss: bool) -> list[BatchHead]:
        """The chain's batches; with ``accept_loss`` also those below a damaged one."""
        last = next(chain.candidates(tail.end), None)
        if last is None or not accept_loss:
            return chain.back_from(last, tail.end) if last else []
        heads, damaged = chain.unbroken_from(last, tail.end)
        while damaged:
            self._report.problems.append(chain.damage_at(damaged))
            below = (head for head in chain.candidates(tail.end) if head.offset < damaged)
            last = next(below, None)
            if last is None:
                break
            older, damaged = chain.unbroken_from(last, tail.end)
            heads = older + heads
        return heads

    def settle_orphans(self, unborn: Unborn, *, is_anew: bool) -> None:
        """Once all is replayed: what becomes of logs and strips without a batch that no layout row knows."""
        all_read = not self._is_partial and not any(why.has_log for why in self.unread.values())
        self.orphans.settle(unborn, may_mark=all_read and self._saw_all and not is_anew)

    def close(self) -> None:
        """Lets go of the logs kept for ``settle_orphans``."""
        self.orphans.close()


def _sealed_heads(chain: Chain, strips: FoundStrips, tail: Tail) -> list[BatchHead]:
    """The batches of a segment in strips alone, whose headers say where its chain begins and ends."""
    floor = max(tail.end, strips.header.floor)
    if strips.header.last_batch < floor:
        return []
    last = chain.batch_at(strips.header.last_batch)
    if last is None:
        raise Corrupt(
            f"{chain.damage_at(strips.header.last_batch)}.",
            hint="Bring missing blades back. To go on without these records: maru check --accept-loss.",
        )
    return chain.back_from(last[0], floor)


def _is_unborn(copy: Copy) -> bool:
    """Whether a log's file can't hold a batch yet: its making was interrupted."""
    try:
        return copy.file.size() <= BLOCK_BYTES
    except OSError:
        return False
