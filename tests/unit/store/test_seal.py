"""An act over folders: every object is where its new layout says, byte for byte."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.store.format.extent import Blob
from maruhub.store.format.layout import Layout
from maruhub.store.format.strip import SUM_BLOCK_BYTES, decode_strip_header, decode_trailer, trailer_bytes
from maruhub.store.parity import code
from maruhub.store.pool import make_pool
from maruhub.store.seal.act import Acts, Outcome
from maruhub.store.seal.live import Resolve
from maruhub.store.seal.sums import block_sums
from maruhub.store.store import PoolStore

SIZES = [0, 1, 100, 4095, 4096, 9000, 50_000, 70_000, 1_500_000]
SEGMENT_BYTES = 1 << 20

MakePool = Callable[..., compose.OpenPool]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakePool]:
    opened = []

    def made(blades: int, segment_bytes: int = SEGMENT_BYTES) -> compose.OpenPool:
        hub = tmp_path / "hub"
        make_pool(hub, [hub / "blades" / str(n) for n in range(blades)], segment_bytes=segment_bytes)
        opened.append(compose.open_pool(hub))
        return opened[-1]

    yield made
    for pool in opened:
        pool.close()


def acts_of(pool: compose.OpenPool, resolve: Resolve = lambda row: None, **options: int) -> Acts:
    store = pool.store
    side = store._writer_side()
    return Acts(
        store._index,
        side.turn,
        store.blades,
        store._reader,
        side.writer._holds,
        folder=pool.path / "index" / "acts",
        pool_id=store.pool_id,
        resolve=resolve,
        **options,  # type: ignore[arg-type]
    )


def put(store: PoolStore, datas: dict[bytes, bytes], *, turns: int = 1) -> dict[bytes, Blob]:
    """Objects under keys, in so many turns."""
    keys = list(datas)
    found = {}
    for number in range(turns):
        mine = keys[number::turns]
        blobs = dict(zip(mine, store.append([datas[key] for key in mine]), strict=True))

        def change(rows, blobs=blobs):
            for key, blob in blobs.items():
                rows.put(key, b"payload", extents=blob)

        store.commit(change)
        found.update(blobs)
    return found


def objects(count: int, *, seed: int = 1) -> dict[bytes, bytes]:
    chance = random.Random(seed)
    return {b"K%05d" % n: chance.randbytes(chance.choice(SIZES)) for n in range(count)}


def close_all(pool: compose.OpenPool) -> None:
    """Begins new logs until every segment so far is closed."""
    for layout in list(pool.store.layouts()):
        number = 0
        while not layout_of(pool.store, layout.segment).closed:
            number += 1
            put(pool.store, {b"Zfill%d" % n: os.urandom(300_000) for n in range(number)})


def layout_of(store: PoolStore, segment: int) -> Layout:
    return next(layout for layout in store.layouts() if layout.segment == segment)


def closed(store: PoolStore) -> list[int]:
    return [layout.segment for layout in store.layouts() if layout.closed]


class Strips:
    """A segment's strips read by the format's own functions; ``lost`` ones are decoded."""

    def __init__(self, pool: compose.OpenPool, segment: int, lost: tuple[int, ...] = ()) -> None:
        layout = layout_of(pool.store, segment)
        assert layout.strips is not None
        self.layout = layout
        self.strips = layout.strips
        blades = {blade.blade_id: blade for blade in pool.found.local_blades}
        self.data: dict[int, bytes] = {}
        self.headers = []
        for number, blade_id in enumerate(layout.blades):
            name = f"{segment:016x}.{layout.strips.act}.{number}.strip"
            raw = (blades[blade_id].root / "segments" / name).read_bytes()
            self.headers.append(decode_strip_header(raw, where=name))
            length = layout.strips.lengths[number]
            data = raw[layout.strips.data_at : layout.strips.data_at + length]
            sums = decode_trailer(raw[layout.strips.data_at + length :], where=name)
            assert len(raw) == layout.strips.data_at + length + trailer_bytes(length)
            assert list(sums) == block_sums(memoryview(data))
            assert len(sums) == -(-length // SUM_BLOCK_BYTES)
            self.data[number] = data
        longest = max(layout.strips.lengths)
        have = {n: data.ljust(longest, b"\0") for n, data in self.data.items() if n not in lost}
        for number, found in zip(lost, code(layout.strips.data).decode(have, lost), strict=True):
            self.data[number] = bytes(found)[: layout.strips.lengths[number]]

    def read(self, blob: Blob) -> bytes:
        parts = []
        for extent in blob:
            part = self.layout.range_of(extent.offset, extent.length)
            assert part is not None, f"{extent} is in no range"
            place = part.place - self.strips.data_at + extent.offset - part.start
            parts.append(self.data[part.file][place : place + extent.length])
        return b"".join(parts)


def require_all(pool: compose.OpenPool, datas: dict[bytes, bytes], blobs: dict[bytes, Blob]) -> None:
    """Every object that lies in strips alone is there, however many strips may be lost."""
    opened: dict[tuple[int, tuple[int, ...]], Strips] = {}
    for layout in pool.store.layouts():
        if layout.strips is None:
            continue
        files = len(layout.blades)
        losses = [(), (0,), (files - 1,), (0, files - 1), (0, 1)]
        for lost in {tuple(dict.fromkeys(them)) for them in losses if len(set(them)) <= layout.parity}:
            opened[layout.segment, lost] = Strips(pool, layout.segment, lost)
    checked = 0
    for (segment, _), strips in opened.items():
        for key, blob in blobs.items():
            if blob and all(extent.segment == segment for extent in blob):
                assert strips.read(blob) == datas[key], key
                checked += 1
    assert checked


@pytest.mark.parametrize("blades", [1, 2, 3, 4, 6, 11])
@pytest.mark.parametrize("window", [16 << 10, 2 << 20])
def test_objects_lie_in_strips_of_each_scheme(make: MakePool, blades: int, window: int) -> None:
    pool = make(blades)
    datas = objects(60)
    blobs = put(pool.store, datas, turns=7)
    close_all(pool)
    acts = acts_of(pool, window_bytes=window)
    for segment in closed(pool.store):
        report = acts.recut(segment)
        assert report.outcome == Outcome.DONE
        assert report.files == {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 11: 10}[blades]
    require_all(pool, datas, blobs)
    names = [name for blade in pool.store.blades for name in blade.names()]
    still_open = [layout for layout in pool.store.layouts() if not layout.closed]
    logs = [f"{layout.segment:016x}.log" for layout in still_open for _ in layout.blades]
    assert sorted(name for name in names if name.endswith(".log")) == sorted(logs)
