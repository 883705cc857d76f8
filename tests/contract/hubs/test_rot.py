"""Bytes that went bad where a hub elsewhere reads them: found here, and had from another copy there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maruhub
from maruhub.api.hub import Hub
from maruhub.remote import RemoteHub
from tests.contract.hubs.server import KEY, SECRET, BatchServer

DATA = {f"{i:02}": np.random.default_rng(i).bytes(3000 + i) for i in range(12)}
LARGE = np.random.default_rng(99).bytes(3 << 20)
"""Of several extents."""


@contextlib.contextmanager
def rot(path: Path, *, sound: int) -> Iterator[None]:
    """Meanwhile all blades of the hub but one have other bytes than were put, in each object."""
    logs = [log for log in path.glob("blades/*/**/*.log") if log.relative_to(path).parts[1] != str(sound)]
    list(map(turn_over, logs))
    yield
    list(map(turn_over, logs))


def turn_over(log: Path) -> None:
    """Other bytes in the midst of each object, in place; once more, and it is as it was."""
    raw = log.read_bytes()
    with log.open("r+b") as file:
        for blob in (*DATA.values(), LARGE):
            at = raw.find(blob[:1000])
            if at >= 0:
                file.seek(at + 2000)
                file.write(bytes(255 - byte for byte in raw[at + 2000 : at + 2009]))


@contextlib.contextmanager
def elsewhere(hub: Hub) -> Iterator[RemoteHub]:
    server = BatchServer(hub)
    try:
        with maruhub.connect(server.url, access_key=KEY, secret_key=SECRET) as remote:
            yield remote
    finally:
        server.close()


def epoch(hub: Any) -> dict[str, bytes]:
    batches = hub.version("cats").batches(7, seed=3)
    return {
        key.partition("/")[2]: bytes(blob) for b in batches for key, blob in zip(b.ids, b.blobs, strict=True)
    }


def by_key(hub: Any) -> dict[str, bytes]:
    keys = [*DATA, "large"]
    return dict(zip(keys, map(bytes, hub.bucket("photos").get_many(keys)), strict=True))


def by_row(hub: Any) -> dict[str, bytes]:
    version = hub.version("cats")
    return dict(zip([*DATA, "large"], map(bytes, version.read_many()), strict=True))


def in_pieces(hub: Any) -> dict[str, bytes]:
    return {key: b"".join(hub.bucket("photos").pieces(key)) for key in [*DATA, "large"]}


@pytest.mark.parametrize("read", [epoch, by_key, by_row, in_pieces])
def test_a_bad_copy_is_noticed_here_and_another_sent(tmp_path: Path, read: Any) -> None:
    with maruhub.create(tmp_path, blades=3, actor="me@here") as local, elsewhere(local) as remote:
        local.bucket("photos").put_many({**DATA, "large": LARGE})
        local.dataset("cats").commit("photos")
        noticed = []
        for sound in range(3):
            before = local.store.read_counts.bad_copies.total()
            with rot(tmp_path, sound=sound):
                assert read(remote) == {**DATA, "large": LARGE}
            noticed.append(local.store.read_counts.bad_copies.total() > before)
        assert sum(noticed) >= 2, "whichever copy is read first, twice it was a bad one"
