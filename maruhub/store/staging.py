"""One change's view of the rows inside the commit turn: it reads, decides and stages."""

from __future__ import annotations

from collections.abc import Sequence

from maruhub.errors import InvalidInput
from maruhub.index.protocol import KEY_BYTES_MAX, IndexTxn
from maruhub.store.extent import Extent
from maruhub.store.row import Row, encode_row


class StagedRows:
    """``Rows`` over the turn's transaction. Nothing reaches the index from here.

    ``staged`` holds row values by key (a removal is a row that says it is gone);
    ``segments`` those in which the staged rows' extents lie.
    """

    def __init__(
        self,
        txn: IndexTxn,
        *,
        actor: str,
        request: bytes,
        counter: int,
        time_us: int,
        pool_time_us: int,
    ) -> None:
        self._txn = txn
        self._actor = actor
        self._request = request
        self.counter = counter
        self.time_us = time_us
        self.pool_time_us = pool_time_us
        self.staged: dict[bytes, bytes] = {}
        self.segments: set[int] = set()

    def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        """See ``Rows.get_many``."""
        held = self._txn.get_many(keys)
        rows = []
        for key, raw in zip(keys, held, strict=True):
            raw = self.staged.get(key, raw)
            row = Row(key, raw) if raw is not None else None
            rows.append(None if row is None or row.gone else row)
        return rows

    def scan(self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        """See ``Rows.scan``."""
        return [Row(key, raw) for key, raw in self._txn.scan(start, stop, limit, reverse=reverse)]

    def put(
        self, key: bytes, payload: bytes, *, extents: Sequence[Extent] = (), segments: Sequence[int] = ()
    ) -> None:
        """See ``Rows.put``."""
        self.segments.update(extent.segment for extent in extents)
        self._stage(key, payload, extents, segments)

    def remove(self, key: bytes) -> None:
        """See ``Rows.remove``."""
        self._stage(key, None, (), ())

    def _stage(
        self, key: bytes, payload: bytes | None, extents: Sequence[Extent], segments: Sequence[int]
    ) -> None:
        assert key[:1] != b"\x01", "rows of the store are its own"
        if len(key) > KEY_BYTES_MAX:
            raise InvalidInput(f"a row key of {len(key)} bytes; {KEY_BYTES_MAX} is the most")
        self.staged[key] = encode_row(
            payload,
            counter=self.counter,
            time_us=self.time_us,
            actor=self._actor,
            request=self._request,
            extents=extents,
            segments=segments,
        )
