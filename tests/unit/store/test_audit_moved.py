"""An audit beside acts: what was moved while it read is not called lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from maruhub import compose
from maruhub.store.pool import make_pool
from maruhub.store.read import audit


@pytest.mark.parametrize("acts_before", [0, 1])
def test_what_is_moved_meanwhile_is_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, acts_before: int
):
    make_pool(tmp_path, [tmp_path / str(n) for n in range(4)], segment_bytes=1 << 20)
    pool = compose.open_pool(tmp_path)
    store = pool.store
    store._seals = False
    (blob,) = store.append([b"1" * 9000])
    store.commit(lambda rows: rows.put(b"K1", b"", extents=blob))
    store.close_logs(0)
    honest = audit._files

    def recut() -> None:
        with store.acting() as acts:
            acts.recut(blob[0].segment)

    def moved(layout, blades):
        if left and layout is not None:
            left.pop()
            recut()
        return honest(layout, blades)

    for _ in range(acts_before):
        recut()
    left = [1]
    monkeypatch.setattr(audit, "_files", moved)
    found = store.audit(list(blob))
    assert not left
    assert (found.extents, found.bad, found.lost) == (1, [], [])
    pool.close()
