"""A sync that fails: what was appended before it and is committed after it is not promised."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import Unavailable
from maruhub.store.local_blade import LocalFile
from maruhub.store.protocol import get, read

KEY = b"Ikey"


def test_bytes_under_a_failed_sync_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = (pool := compose.create_pool(tmp_path / "hub", n=3)).store
    early = store.append([b"early"])[0]
    store.commit(lambda rows: rows.put(b"Ifirst", b"", extents=early))
    blob = store.append([b"between"])[0]
    other = store.append([b"other"])[0]

    def fail(self: LocalFile) -> None:
        raise OSError(errno.EIO, "planted")

    with monkeypatch.context() as patch:
        patch.setattr(LocalFile, "sync", fail)
        with pytest.raises(Unavailable):
            store.commit(lambda rows: rows.put(b"Iother", b"", extents=other))
    with pytest.raises(Unavailable, match="syncing"):
        store.commit(lambda rows: rows.put(KEY, b"", extents=blob))
    assert get(store, KEY) is None
    again = store.append([b"between"])[0]
    store.commit(lambda rows: rows.put(KEY, b"", extents=again))
    store.commit(lambda rows: rows.put(b"Ifirst", b"named again", extents=early))
    assert bytes(read(store, again)) == b"between"
    pool.close()
