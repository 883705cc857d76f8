"""Finding the batches that the index may not have seen, log by log.

Lists the blades, takes each log's lock, reads its chain from where the index knows it.
What it finds stays locked until the caller has replayed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from maruhub.errors import Busy, Corrupt, MaruError, Unavailable
from maruhub.index.protocol import Index
from maruhub.store.blades import Blades
from maruhub.store.commit.copies import Copy
from maruhub.store.format.batch import BatchHead
from maruhub.store.format.header import log_name, log_segment
from maruhub.store.format.identity import BLOCK_BYTES
from maruhub.store.format.keys import Tail, decode_tail, layout_key, tail_key
from maruhub.store.format.layout import decode_layout
from maruhub.store.format.row import Row
from maruhub.store.recover.chain import Chain, read_header

_KEYS_A_LOOKUP: Final = 1000


@dataclass
class RecoveryReport:
    """What recovery found and did. ``problems`` are sentences for a person."""

    segments: int = 0
    turns_replayed: int = 0
    copies_mended: int = 0
    orphans_removed: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass
class FoundLog:
    """One log's batches behind what the index knows, first one first."""

    chain: Chain
    heads: list[BatchHead]


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
        self._silent: list[tuple[int, list[Copy]]] = []

    def run(self, *, from_start: bool, accept_loss: bool = False) -> list[FoundLog]:
        """Every log with batches that may be news; ``from_start``: all batches of all logs.

        A log that another process writes is passed over (``from_start``: Busy). Records
        that no copy has whole raise Corrupt, unless ``accept_loss`` or the index never
        heard of the log; those that can't be read now Unavailable, unless ``accept_loss``.
        """
        listed = self._listed()
        tails, strangers = self._tails(list(listed), from_start=from_start)
        found = []
        for segment, tail in tails.items():
            try:
                item = self._examine(segment, listed[segment], tail, accept_loss=accept_loss)
            except Busy:
                if from_start:
                    raise
                continue
            except (Corrupt, Unavailable) as error:
                if not accept_loss and (isinstance(error, Unavailable) or segment not in strangers):
                    raise
                self._report.problems.append(error.what)
                continue
            if item is not None:
                found.append(item)
        return found

    def _listed(self) -> dict[int, list[bytes]]:
        """Segments by what lies on the blades, with the blades that hold a copy."""
        listed: dict[int, list[bytes]] = {}
        for blade in self._blades:
            try:
                names = blade.names()
            except OSError as error:
                self._report.problems.append(f"{blade!r} cannot be listed: {error.strerror}")
                continue
            for name in names:
                segment = log_segment(name)
                if segment is not None:
                    listed.setdefault(segment, []).append(blade.blade_id)
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

    def _examine(
        self, segment: int, blade_ids: Sequence[bytes], tail: Tail, *, accept_loss: bool
    ) -> FoundLog | None:
        """The log's batches behind ``tail``, or None if there are none."""
        copies = self._blades.open_copies(log_name(segment), blade_ids, write=self._write)
        self._report.segments += 1
        try:
            found = self._read(segment, copies, tail, accept_loss=accept_loss)
        except BaseException:
            close_all(copies)
            raise
        if found is None or not found.heads:
            if tail.end == 0 and self._write:
                self._silent.append((segment, copies))
            else:
                close_all(copies)
            return None
        return found

    def _read(self, segment: int, copies: list[Copy], tail: Tail, *, accept_loss: bool) -> FoundLog | None:
        if not all(copy.file.lock() for copy in copies):
            raise Busy(
                f"segment {segment:016x} is being written by another process.",
                hint="Stop the other processes that use this hub first.",
            )
        try:
            header = read_header(copies)
        except MaruError:
            if tail.end == 0 and copies and all(_is_unborn(copy) for copy in copies):
                return None
            raise
        if header.pool_id != self._pool_id:
            raise Corrupt(
                f"segment {segment:016x} belongs to another pool", hint="Move its file off the blade."
            )
        chain = Chain(header, copies, accept_loss=accept_loss)
        return FoundLog(chain, self._heads(chain, tail, accept_loss=accept_loss))

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

    def remove_orphans(self) -> None:
        """Once all is replayed: removes logs without a batch that no layout row knows.

        A log may hold objects only, its layout stands in another log's batch then. Nothing
        is removed while some log can't be read: what it says of others isn't known.
        """
        silent, self._silent = self._silent, []
        layouts = self._index.get_many([layout_key(segment) for segment, _ in silent])
        sure = not self._blades.missing and not self._report.problems
        for (segment, copies), layout in zip(silent, layouts, strict=True):
            if sure and layout is None:
                self._remove(log_name(segment), copies)
            close_all(copies)

    def _remove(self, name: str, copies: Sequence[Copy]) -> None:
        for copy in copies:
            try:
                copy.blade.remove(name)
                copy.blade.sync_names()
            except OSError as error:
                self._report.problems.append(f"{copy.blade!r}: {name} cannot be removed: {error.strerror}")
        self._report.orphans_removed += 1

    def close(self) -> None:
        """Lets go of the logs kept for ``remove_orphans``."""
        for _, copies in self._silent:
            close_all(copies)
        self._silent = []


def close_all(copies: Sequence[Copy]) -> None:
    """Closes files, and with them their locks."""
    for copy in copies:
        copy.close()


def _is_unborn(copy: Copy) -> bool:
    """Whether a log's file can't hold a batch yet: its making was interrupted."""
    try:
        return copy.file.size() <= BLOCK_BYTES
    except OSError:
        return False
