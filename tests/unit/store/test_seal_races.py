"""Rows that change between two looks of one act: what lives when the act counts is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import MaruError
from maruhub.store.format.extent import Blobs
from maruhub.store.pool import make_pool
from maruhub.store.seal import live
from maruhub.store.seal.act import Acts, Outcome


def test_what_is_hidden_between_two_looks_and_brought_back_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    make_pool(tmp_path, [tmp_path / str(n) for n in range(4)], segment_bytes=1 << 20)
    pool = compose.open_pool(tmp_path)
    store = pool.store
    datas = {b"K1": b"1" * 9000, b"K2": b"2" * 9000}
    blobs = dict(zip(datas, store.append(list(datas.values())), strict=True))

    def put(rows) -> None:
        for key, blob in blobs.items():
            rows.put(key, b"", extents=blob)

    def hide(rows) -> None:
        rows.remove(b"K1")
        rows.put(b"V1", b"", extents=blobs[b"K1"])

    def bring_back(rows) -> None:
        rows.remove(b"V1")
        rows.put(b"K1", b"", extents=blobs[b"K1"])

    store.commit(put)
    store._seals = False
    store.close_logs(0)
    honest, write = live._present, Acts._write
    steps = [bring_back, hide]

    def hidden_first(rows, keys):
        if len(steps) == 2:
            store.commit(steps.pop())
        return honest(rows, keys)

    def brought_back_then(self, *args):
        write(self, *args)
        if steps:
            store.commit(steps.pop())

    monkeypatch.setattr(live, "_present", hidden_first)
    monkeypatch.setattr(Acts, "_write", brought_back_then)
    with store.acting() as acts:
        assert acts.recut(blobs[b"K1"][0].segment).outcome == Outcome.DONE
    assert not steps
    pool.close()
    # Anew: this process still has the file mapped that the act removed.
    pool = compose.open_pool(tmp_path)
    for key, found in zip(datas, pool.store.read_many(Blobs.of(list(blobs.values()))), strict=True):
        assert not isinstance(found, MaruError), found
        assert bytes(found) == datas[key]
    pool.close()
