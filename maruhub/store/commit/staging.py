"""The rows as a turn sees them, and one change's view of those: it reads, decides, stages.

A turn reads each row once and writes all its rows together: engines are slow by the call,
and every call is a chance for other threads to take the interpreter away from the writer
that all of them wait for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from maruhub.errors import InvalidInput
from maruhub.index.protocol import KEY_BYTES_MAX, IndexTxn
from maruhub.store.commit.apply import apply_records
from maruhub.store.format.extent import Extent
from maruhub.store.format.row import Row, encode_row


class TurnRows:
    """All rows of one turn over its transaction; ``flush`` writes what its changes have set.

    ``extents`` are those that accepted changes name.
    """

    def __init__(self, txn: IndexTxn) -> None:
        self._txn = txn
        self._held: dict[bytes, bytes | None] = {}
        self._set: dict[bytes, bytes] = {}
        self.extents: list[Extent] = []

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values as this turn's earlier changes left them; a removed row's says it is gone."""
        self._fetch(keys)
        return [self._set.get(key) or self._held[key] for key in keys]

    def _fetch(self, keys: Iterable[bytes]) -> None:
        missing = [key for key in keys if key not in self._held]
        if missing:
            self._held.update(zip(missing, self._txn.get_many(missing), strict=True))

    def scan(self, start: bytes, stop: bytes, limit: int, *, reverse: bool) -> list[tuple[bytes, bytes]]:
        """A range of the index, with everything set so far."""
        self.flush()
        return self._txn.scan(start, stop, limit, reverse=reverse)

    def set(self, records: dict[bytes, bytes]) -> None:
        """Rows of a change that is accepted."""
        self._set.update(records)

    def flush(self) -> None:
        """Writes what was set to the transaction."""
        if self._set:
            self._fetch(self._set)
            apply_records(self._txn, self._set, held=self._held)
            self._held.update((key, None if Row(key, raw).gone else raw) for key, raw in self._set.items())
            self._set = {}


class StagedRows:
    """``Rows`` of one change. Nothing reaches the turn's rows from here.

    ``staged`` holds row values by key (a removal is a row that says it is gone);
    ``extents`` are those of the staged rows, ``segments`` those in which they lie; ``whole``
    segments that a row names as a whole, with the counter as of which it does.
    """

    def __init__(
        self,
        turn: TurnRows,
        *,
        actor: str,
        request: bytes,
        counter: int,
        time_us: int,
        pool_time_us: int,
    ) -> None:
        self._turn = turn
        self._actor = actor
        self._request = request
        self.counter = counter
        self.time_us = time_us
        self.pool_time_us = pool_time_us
        self.staged: dict[bytes, bytes] = {}
        self.segments: set[int] = set()
        self.extents: list[Extent] = []
        self.whole: list[tuple[Sequence[int], int]] = []

    def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        """See ``Rows.get_many``."""
        held = self._turn.get_many(keys)
        rows = []
        for key, raw in zip(keys, held, strict=True):
            raw = self.staged.get(key, raw)
            row = Row(key, raw) if raw is not None else None
            rows.append(None if row is None or row.gone else row)
        return rows

    def scan(self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        """See ``Rows.scan``."""
        return [Row(key, raw) for key, raw in self._turn.scan(start, stop, limit, reverse=reverse)]

    def put(
        self,
        key: bytes,
        payload: bytes,
        *,
        extents: Sequence[Extent] = (),
        segments: Sequence[int] = (),
        snapshot: int = 0,
    ) -> None:
        """See ``Rows.put``."""
        self.segments.update(extent.segment for extent in extents)
        self.extents += extents
        if segments:
            self.whole.append((segments, snapshot))
        self._stage(key, payload, extents, segments)

    def remove(self, key: bytes) -> None:
        """See ``Rows.remove``."""
        self._stage(key, None, (), ())

    def _stage(
        self, key: bytes, payload: bytes | None, extents: Sequence[Extent], segments: Sequence[int]
    ) -> None:
        assert key[:1] != b"\x01", "rows of the store are its own"
        # Here, not in the index: there it would refuse the whole turn, others' changes too.
        if not 1 <= len(key) <= KEY_BYTES_MAX:
            raise InvalidInput(f"a row key of {len(key)} bytes; it has 1 to {KEY_BYTES_MAX}")
        self.staged[key] = encode_row(
            payload,
            counter=self.counter,
            time_us=self.time_us,
            actor=self._actor,
            request=self._request,
            extents=extents,
            segments=segments,
        )
