"""The row that says what a blade is used for: its bytes, and its way through log and index."""

from __future__ import annotations

from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import Corrupt
from maruhub.store.format.blade_row import BladeState, decode_blade_state, encode_blade_state
from maruhub.store.format.keys import BLADE_PREFIX, blade_key, blade_of
from maruhub.store.protocol import prefix_end

LOGGED = ((BLADE_PREFIX, prefix_end(BLADE_PREFIX)), (b"\x01L", b"\x01M"), (b"\x02", b"\xff"))


def test_its_bytes_are_these() -> None:
    assert encode_blade_state(BladeState.IN_SERVICE) is None
    assert encode_blade_state(BladeState.DRAINING) == bytes([1, 1, 0, 0, 0, 0, 0, 0])
    assert encode_blade_state(BladeState.REMOVED) == bytes([1, 2, 0, 0, 0, 0, 0, 0])
    assert blade_key(bytes(16)) == b"\x01D" + bytes(16)
    assert blade_of(blade_key(b"0123456789abcdef")) == b"0123456789abcdef"


@pytest.mark.parametrize("payload", [b"", b"\x01", bytes(8), b"\x01\x03" + bytes(6), b"\x02\x01" + bytes(6)])
def test_others_are_refused(payload: bytes) -> None:
    with pytest.raises(Corrupt):
        decode_blade_state(payload)


def rows(pool: compose.OpenPool) -> dict[bytes, bytes]:
    """All rows that are logged, as the index holds them."""
    found: dict[bytes, bytes] = {}
    for start, stop in LOGGED:
        found |= {row.key: row.raw for row in pool.store.scan(start, stop, 1000)}
    return found


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_rebuild_brings_the_rows_back_as_they_were(tmp_path: Path, *, checkpoint: bool) -> None:
    pool = compose.create_pool(tmp_path / "hub", n=4)
    first, second, third, _ = (blade.blade_id for blade in pool.store.blades)
    for blade_id, state in (
        (first, BladeState.DRAINING),
        (second, BladeState.REMOVED),
        (third, BladeState.DRAINING),
        (third, BladeState.IN_SERVICE),
    ):
        row = {blade_key(blade_id): encode_blade_state(state)}
        pool.store.restate(lambda txn, counter, row=row: row)
    pool.store.commit(lambda change: change.put(b"K", b"value"))
    if checkpoint:
        pool.store.checkpoint()
    before = rows(pool)
    assert [key for key in before if key.startswith(BLADE_PREFIX)] == sorted(map(blade_key, (first, second)))
    assert pool.rebuild_index().problems == []
    assert rows(pool) == before
    pool.close()
    with_states = compose.open_pool(tmp_path / "hub")
    assert with_states.store.blades.draining == {first}
    assert with_states.store.blades.removed == {second}, "though hub.json lists it yet"
    assert second not in with_states.store.blades.rooms()
    with_states.close()
