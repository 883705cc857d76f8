"""An act over folders: every object is where its new layout says, byte for byte."""

from __future__ import annotations

import fcntl
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import Corrupt, InvalidInput, MaruError, Unavailable
from maruhub.store.commit.unborn import Unborn
from maruhub.store.format.extent import Blob, ExtentArray, extents_to_array
from maruhub.store.format.keys import tail_key
from maruhub.store.format.layout import Layout
from maruhub.store.format.row import Row
from maruhub.store.format.strip import SUM_BLOCK_BYTES, decode_strip_header, decode_trailer, trailer_bytes
from maruhub.store.parity import code
from maruhub.store.pool import make_pool
from maruhub.store.seal.act import Acts, Outcome
from maruhub.store.seal.live import Resolve
from maruhub.store.seal.sums import block_sums, block_sums_plain
from maruhub.store.store import PoolStore

SIZES = [0, 1, 100, 4095, 4096, 9000, 50_000, 70_000]
LONG = 1_500_000
SEGMENT_BYTES = 8 << 20

MakePool = Callable[..., compose.OpenPool]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakePool]:
    opened = []

    def made(blades: int, segment_bytes: int = SEGMENT_BYTES) -> compose.OpenPool:
        hub = tmp_path / "hub"
        make_pool(hub, [hub / "blades" / str(n) for n in range(blades)], segment_bytes=segment_bytes)
        opened.append(compose.open_pool(hub))
        # Nothing is cut here but by the tests themselves.
        opened[-1].store._seals = False
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
        unborn=Unborn(pool.path / "index" / "unborn"),
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
    """Objects of all sizes, of which one is longer than its strip will be."""
    chance = random.Random(seed)
    sizes = [LONG, *(chance.choice(SIZES) for _ in range(count - 1))]
    return {b"K%05d" % n: chance.randbytes(size) for n, size in enumerate(sizes)}


def close_all(pool: compose.OpenPool) -> None:
    """Begins new logs."""
    pool.store.close_logs(0)


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


def name_of(layout: Layout, number: int) -> str:
    assert layout.strips is not None
    return f"{layout.segment:016x}.{layout.strips.act}.{number}.strip"


def path_of(pool: compose.OpenPool, blade_id: bytes, name: str) -> Path:
    blades = {blade.blade_id: blade for blade in pool.found.local_blades}
    return blades[blade_id].root / "segments" / name


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 0x40]))


def files_on(pool: compose.OpenPool) -> set[tuple[bytes, str]]:
    return {(blade.blade_id, name) for blade in pool.store.blades for name in blade.names()}


@dataclass
class Sealed:
    """A pool with objects, all of whose full segments were cut; of which the first is looked at."""

    pool: compose.OpenPool
    datas: dict[bytes, bytes]
    blobs: dict[bytes, Blob]
    acts: Acts

    @property
    def segment(self) -> int:
        sealed = [layout for layout in self.pool.store.layouts() if layout.strips]
        return max(sealed, key=lambda layout: sum(layout.strips.lengths)).segment  # type: ignore[union-attr]

    @property
    def layout(self) -> Layout:
        return layout_of(self.pool.store, self.segment)

    def bytes_of(self, number: int) -> bytes:
        layout = self.layout
        return path_of(self.pool, layout.blades[number], name_of(layout, number)).read_bytes()


def sealed_pool(make: MakePool, blades: int) -> Sealed:
    pool = make(blades)
    datas = objects(60)
    blobs = put(pool.store, datas, turns=3)
    close_all(pool)
    acts = acts_of(pool)
    for segment in closed(pool.store):
        assert acts.recut(segment).outcome == Outcome.DONE
    return Sealed(pool, datas, blobs, acts)


# ---------------------------------------------------------------- what may not be touched


def test_open_held_and_busy_segments_are_left_alone(make: MakePool) -> None:
    pool = make(4)
    blobs = put(pool.store, {b"K": b"data" * 5000})
    acts = acts_of(pool)
    segment = next(extent.segment for blob in blobs.values() for extent in blob)
    assert acts.recut(segment).outcome == Outcome.OPEN
    pool.store.append([b"never named" * 1000])
    close_all(pool)
    files = files_on(pool)
    assert acts.recut(segment).outcome == Outcome.HELD
    assert acts.recut(12345).outcome == Outcome.GONE
    pool.store._writer_side().writer._holds.remove(segment)
    with acts._locks.held(segment) as mine:
        assert mine
        assert acts_of(pool).recut(segment).outcome == Outcome.BUSY
    assert files_on(pool) == files
    assert acts.recut(segment).outcome == Outcome.DONE
    assert not list((pool.path / "index" / "acts").iterdir())


def test_a_segment_of_which_nothing_more_will_be_named_may_be_worked_on(make: MakePool) -> None:
    pool = make(4)
    blobs = put(pool.store, {b"K": b"data" * 5000})
    segment = next(extent.segment for blob in blobs.values() for extent in blob)
    (before,) = pool.store.append([b"given up" * 1000])
    pool.store.disclaim(before)
    (after,) = pool.store.append([b"given up later" * 1000])
    close_all(pool)
    acts = acts_of(pool)
    assert acts.recut(segment).outcome == Outcome.HELD
    pool.store.disclaim(after)
    assert acts.recut(segment).outcome == Outcome.DONE


def test_what_cannot_be_told_stays(make: MakePool) -> None:
    pool = make(4)
    datas = objects(20)
    blobs = put(pool.store, datas)
    segment = blobs[max(datas, key=lambda key: len(datas[key]))][0].segment
    pool.store.commit(lambda rows: rows.put(b"Fragment", b"", segments=[segment]))
    for key in datas:
        pool.store.commit(lambda rows, key=key: rows.remove(key))
    close_all(pool)
    files = files_on(pool)
    with pytest.raises(Unavailable, match="Fragment"):
        acts_of(pool).recut(segment)
    assert files_on(pool) == files

    def resolve(row: Row) -> ExtentArray | None:
        assert row.key == b"Fragment"
        return extents_to_array(extent for blob in blobs.values() for extent in blob)

    assert acts_of(pool, resolve).recut(segment).outcome == Outcome.DONE
    require_all(pool, datas, blobs)


# ---------------------------------------------------------------- rot


def test_a_rotten_copy_is_not_copied(make: MakePool) -> None:
    pool = make(6)
    datas = objects(30)
    blobs = put(pool.store, datas)
    close_all(pool)
    for blob in blobs.values():
        for number, extent in enumerate(blob):
            layout = layout_of(pool.store, extent.segment)
            rotten = layout.blades[number % len(layout.blades)]
            flip(path_of(pool, rotten, f"{extent.segment:016x}.log"), extent.offset + extent.length // 2)
    acts = acts_of(pool)
    for segment in closed(pool.store):
        assert acts.recut(segment).outcome == Outcome.DONE
    require_all(pool, datas, blobs)


def test_what_is_rotten_everywhere_is_neither_kept_nor_dropped(make: MakePool) -> None:
    pool = make(4)
    datas = objects(30)
    blobs = put(pool.store, datas)
    close_all(pool)
    extent = next(blob for blob in blobs.values() if blob)[0]
    before = layout_of(pool.store, extent.segment)
    for blade in before.blades:
        flip(path_of(pool, blade, f"{extent.segment:016x}.log"), extent.offset)
    files = files_on(pool)
    with pytest.raises(Corrupt, match=f"{extent.segment:016x}, offset {extent.offset}"):
        acts_of(pool).recut(extent.segment)
    assert files_on(pool) == files
    assert layout_of(pool.store, extent.segment) == before


# ---------------------------------------------------------------- what happens meanwhile


def during(acts: Acts, monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> None:
    """Does something once, when the new files are written and nothing is published."""
    write = acts._write
    left = [what]

    def first(*args):
        write(*args)
        if left:
            left.pop()()

    monkeypatch.setattr(acts, "_write", first)


def test_what_comes_back_to_life_meanwhile_is_kept(make: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = make(6)
    datas = objects(40)
    blobs = put(pool.store, datas)
    dead = list(datas)[::2]
    for key in dead:
        pool.store.commit(lambda rows, key=key: rows.remove(key))
    close_all(pool)
    acts = acts_of(pool)
    segment = next(blobs[key] for key in dead if blobs[key])[0].segment

    def undelete() -> None:
        for key in dead:
            pool.store.commit(lambda rows, key=key: rows.put(b"copy/" + key, b"", extents=blobs[key]))

    during(acts, monkeypatch, undelete)
    report = acts.recut(segment)
    assert report.outcome == Outcome.DONE
    assert len([name for _, name in files_on(pool) if name.startswith(f"{segment:016x}")]) == report.files
    require_all(pool, datas, blobs)


def test_a_manifest_that_comes_meanwhile_is_kept(make: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = make(6)
    datas = objects(40)
    blobs = put(pool.store, datas)
    for key in datas:
        pool.store.commit(lambda rows, key=key: rows.remove(key))
    close_all(pool)
    segment = next(blob for blob in blobs.values() if blob)[0].segment
    extents = [extent for blob in blobs.values() for extent in blob]
    acts = acts_of(pool, lambda row: extents_to_array(extents))

    def freeze() -> None:
        pool.store.commit(lambda rows: rows.put(b"Fragment", b"", segments=[segment], snapshot=1 << 60))

    during(acts, monkeypatch, freeze)
    assert acts.recut(segment).outcome == Outcome.DONE
    require_all(pool, datas, blobs)


def test_an_act_that_always_finds_more_gives_up(make: MakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = make(4)
    datas = objects(40)
    blobs = put(pool.store, datas)
    for key in datas:
        pool.store.commit(lambda rows, key=key: rows.remove(key))
    close_all(pool)
    alive = [key for key in datas if blobs[key]]
    segment = blobs[alive[0]][0].segment
    acts = acts_of(pool)
    write = acts._write

    def more(*args):
        write(*args)
        key = alive.pop()
        pool.store.commit(lambda rows: rows.put(key, b"", extents=blobs[key]))

    monkeypatch.setattr(acts, "_write", more)
    before, files = layout_of(pool.store, segment), files_on(pool)
    assert acts.recut(segment).outcome == Outcome.CHANGED
    assert layout_of(pool.store, segment) == before
    assert files_on(pool) == files


def test_writers_go_on_while_segments_are_cut(make: MakePool) -> None:
    pool = make(5, segment_bytes=256 << 10)
    datas, blobs = objects(50), {}
    stop = threading.Event()
    errors = []

    def cut() -> None:
        acts = acts_of(pool)
        while not stop.is_set():
            for segment in closed(pool.store):
                try:
                    acts.recut(segment)
                except MaruError as error:
                    errors.append(error)

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        for key, data in datas.items():
            blobs.update(put(pool.store, {key: data}))
    finally:
        stop.set()
        thread.join()
    assert not errors
    require_all(pool, datas, blobs)


# ---------------------------------------------------------------- compaction


def test_dead_bytes_are_left_out_and_addresses_stay(make: MakePool) -> None:
    sealed = sealed_pool(make, 6)
    store, segment, before = sealed.pool.store, sealed.segment, sealed.layout
    dead = list(sealed.datas)[::3]
    for key in dead:
        store.commit(lambda rows, key=key: rows.remove(key))
        del sealed.blobs[key]
    report = sealed.acts.recut(segment)
    after = layout_of(store, segment)
    assert report.outcome == Outcome.DONE
    assert report.freed_bytes > report.written_bytes
    assert after.strips is not None
    assert before.strips is not None
    assert after.strips.act == after.generation == before.generation + 1
    assert sum(after.strips.lengths) < sum(before.strips.lengths)
    assert after.strips.dropped > before.strips.dropped > 0
    require_all(sealed.pool, sealed.datas, sealed.blobs)


def test_an_empty_segment_goes(make: MakePool) -> None:
    sealed = sealed_pool(make, 4)
    store = sealed.pool.store
    for key in sealed.datas:
        store.commit(lambda rows, key=key: rows.remove(key))
    covered = store.checkpoint().began_after
    segment = sealed.segment
    assert sealed.acts.recut(segment, covered=covered).outcome == Outcome.REMOVED
    assert segment not in [layout.segment for layout in store.layouts()]
    assert not [name for _, name in files_on(sealed.pool) if name.startswith(f"{segment:016x}")]
    assert store._index.get_many([tail_key(segment)]) == [None]
    assert sealed.acts.recut(segment).outcome == Outcome.GONE


def test_batches_of_a_checkpoint_are_dropped_from_the_front(make: MakePool) -> None:
    pool = make(4)
    datas = objects(20)
    blobs = put(pool.store, datas, turns=10)
    covered = pool.store.checkpoint().began_after
    blobs.update(put(pool.store, {b"Kafter%d" % n: b"x" for n in range(5)}, turns=5))
    close_all(pool)
    segment = next(blob for blob in blobs.values() if blob)[0].segment
    acts = acts_of(pool)
    assert acts.recut(segment).outcome == Outcome.DONE
    whole = layout_of(pool.store, segment)
    assert acts.recut(segment, covered=covered).outcome == Outcome.DONE
    after = layout_of(pool.store, segment)
    assert whole.strips is not None
    assert after.strips is not None
    assert whole.strips.floor < after.strips.floor
    acts.recut(segment)
    assert layout_of(pool.store, segment).strips.floor == after.strips.floor  # type: ignore[union-attr]


# ---------------------------------------------------------------- single strips


def test_a_strip_moves(make: MakePool) -> None:
    sealed = sealed_pool(make, 11)
    layout = sealed.layout
    spare = next(b.blade_id for b in sealed.pool.store.blades if b.blade_id not in layout.blades)
    before = sealed.bytes_of(3)
    report = sealed.acts.rebuild(layout.segment, {3: spare})
    after = sealed.layout
    assert report.outcome == Outcome.DONE
    assert after.blades == (*layout.blades[:3], spare, *layout.blades[4:])
    assert after.strips == layout.strips
    assert after.generation == layout.generation + 1
    assert sealed.bytes_of(3) == before
    assert (layout.blades[3], name_of(layout, 3)) not in files_on(sealed.pool)
    with pytest.raises(InvalidInput):
        sealed.acts.rebuild(layout.segment, {2: spare})
    with pytest.raises(InvalidInput):
        sealed.acts.rebuild(layout.segment, {10: None})


@pytest.mark.parametrize(
    ("blades", "numbers"),
    [
        *((2, lost) for lost in [(0,), (1,)]),
        *((3, lost) for lost in [(0,), (1,), (0, 1)]),
        *((4, lost) for lost in [(0,), (1,), (0, 1), (1, 3)]),
        *((6, lost) for lost in [(0,), (1,), (0, 1), (1, 3), (4, 5)]),
    ],
)
def test_lost_strips_are_made_again(make: MakePool, blades: int, numbers: tuple[int, ...]) -> None:
    sealed = sealed_pool(make, blades)
    layout = sealed.layout
    wanted = {number: sealed.bytes_of(number) for number in numbers}
    for number in numbers:
        path_of(sealed.pool, layout.blades[number], name_of(layout, number)).unlink()
    assert sealed.acts.rebuild(layout.segment, dict.fromkeys(numbers)).outcome == Outcome.DONE
    assert {number: sealed.bytes_of(number) for number in numbers} == wanted


@pytest.mark.parametrize("where", ["header", "data", "last", "sums", "short"])
def test_a_rotten_strip_is_put_right_in_place(make: MakePool, where: str) -> None:
    sealed = sealed_pool(make, 6)
    layout = sealed.layout
    assert layout.strips is not None
    end = layout.strips.data_at + layout.strips.lengths[1]
    wanted = [sealed.bytes_of(number) for number in range(6)]
    for number in (1, 5):
        path = path_of(sealed.pool, layout.blades[number], name_of(layout, number))
        if where == "short":
            os.truncate(path, end // 2)
        else:
            at = {"header": 70, "data": layout.strips.data_at + 5, "last": end - 1, "sums": end + 1}[where]
            flip(path, at)
    assert sealed.acts.rebuild(layout.segment, {1: None, 5: None}).outcome == Outcome.DONE
    assert [sealed.bytes_of(number) for number in range(6)] == wanted
    assert sealed.layout == layout


def test_rot_that_lies_apart_in_many_strips_is_no_loss(make: MakePool) -> None:
    sealed = sealed_pool(make, 6)
    layout = sealed.layout
    assert layout.strips is not None
    wanted = [sealed.bytes_of(number) for number in range(6)]
    for number in range(6):
        at = layout.strips.data_at + number * SUM_BLOCK_BYTES
        flip(path_of(sealed.pool, layout.blades[number], name_of(layout, number)), at)
    assert sealed.acts.rebuild(layout.segment, dict.fromkeys(range(6))).outcome == Outcome.DONE
    assert [sealed.bytes_of(number) for number in range(6)] == wanted


def test_three_lost_blocks_are_not_invented(make: MakePool) -> None:
    sealed = sealed_pool(make, 6)
    layout = sealed.layout
    assert layout.strips is not None
    for number in range(3):
        flip(path_of(sealed.pool, layout.blades[number], name_of(layout, number)), layout.strips.data_at)
    files = files_on(sealed.pool)
    with pytest.raises(Corrupt, match="block 0 of strip 0"):
        sealed.acts.rebuild(layout.segment, {0: None})
    assert files_on(sealed.pool) == files
    assert sealed.layout == layout


# ---------------------------------------------------------------- strays


def test_strays_go_and_what_counts_stays(make: MakePool) -> None:
    sealed = sealed_pool(make, 4)
    layout = sealed.layout
    kept = files_on(sealed.pool)
    strays = [
        f"{layout.segment:016x}.log",
        f"{layout.segment:016x}.1.0.strip",
        f"{layout.segment:016x}.99.1.strip",
    ]
    for name in [*strays, f"{77:016x}.log", f"{77:016x}.2.0.strip", "somebody's"]:
        path_of(sealed.pool, layout.blades[0], name).write_bytes(b"left behind")
    moved = path_of(sealed.pool, layout.blades[0], name_of(layout, 1))
    moved.write_bytes(b"an older copy")
    locked = path_of(sealed.pool, layout.blades[2], strays[0])
    locked.write_bytes(b"in the making")
    with locked.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        report = sealed.acts.sweep()
    assert (report.files, report.freed_bytes) == (4, 3 * 11 + 13)
    unknown = [f"{77:016x}.log", f"{77:016x}.2.0.strip", "somebody's"]
    assert files_on(sealed.pool) - kept == {
        *((layout.blades[0], name) for name in unknown),
        (layout.blades[2], strays[0]),
    }
    assert files_on(sealed.pool) >= kept


def test_an_act_takes_the_place_of_a_dead_one(make: MakePool) -> None:
    sealed = sealed_pool(make, 4)
    layout = sealed.layout
    for blade in layout.blades:
        for number in range(4):
            name = f"{layout.segment:016x}.{layout.generation + 1}.{number}.strip"
            path_of(sealed.pool, blade, name).write_bytes(b"half an act")
    assert sealed.acts.recut(layout.segment).outcome == Outcome.DONE
    require_all(sealed.pool, sealed.datas, sealed.blobs)
    assert sealed.acts.sweep().files == 12


def test_sums_are_those_of_zlib() -> None:
    for size in (0, 1, SUM_BLOCK_BYTES - 1, SUM_BLOCK_BYTES, 100_001):
        data = bytearray(os.urandom(size))
        assert block_sums(memoryview(data)) == block_sums_plain(memoryview(data))
        assert block_sums(memoryview(bytes(data))) == block_sums_plain(memoryview(data))
