"""Recovery and rebuild where segments lie in strips, and their logs are long gone."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.compose import OpenPool
from maruhub.errors import MaruError
from maruhub.index.protocol import AFTER_ALL
from maruhub.store.format.extent import Blobs
from maruhub.store.format.keys import STATE_KEY, TAIL_PREFIX
from maruhub.store.pool import make_pool
from maruhub.store.seal.strip_writer import StripFiles
from maruhub.testing.trial import comparable

Rows = dict[bytes, bytes]
_DATA = b"K"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "hub"
    make_pool(path, [path / "blades" / str(n) for n in range(6)], segment_bytes=1 << 20)
    return path


def opened(path: Path, **options: bool) -> OpenPool:
    pool = compose.open_pool(path, **options)
    # Nothing is cut here but by the tests themselves.
    pool.store._seals = False
    return pool


def put(pool: OpenPool, count: int, *, seed: int = 1, tag: bytes = b"a") -> dict[bytes, bytes]:
    chance = random.Random(seed)
    datas = {
        _DATA + tag + b"%04d" % n: chance.randbytes(chance.choice([9, 3000, 40_000])) for n in range(count)
    }
    for key, data in datas.items():
        (blob,) = pool.store.append([data])
        pool.store.commit(lambda rows, key=key, blob=blob: rows.put(key, b"p", extents=blob))
    return datas


def remove(pool: OpenPool, keys: list[bytes]) -> None:
    for key in keys:
        pool.store.commit(lambda rows, key=key: rows.remove(key))


def seal(pool: OpenPool, *, covered: int = 0) -> None:
    pool.store.close_logs(0)
    with pool.store.acting() as acts:
        for layout in list(pool.store.layouts()):
            if layout.closed:
                acts.recut(layout.segment, covered=covered)


def rows_of(pool: OpenPool) -> Rows:
    """All that a rebuild must bring back: not the state's own stamps, nor tails of what is closed."""
    index = pool.store._index
    open_segments = {layout.segment for layout in pool.store.layouts() if not layout.closed}
    return {
        key: value
        for key, value in index.scan(b"\x00", AFTER_ALL, 1_000_000)
        if key != STATE_KEY
        and not (key.startswith(TAIL_PREFIX) and int.from_bytes(key[2:], "big") not in open_segments)
    }


def require_rebuilt(hub: Path, before: Rows, datas: dict[bytes, bytes]) -> None:
    """Opened again, it has the rows it had, and the bytes."""
    pool = opened(hub)
    assert rows_of(pool) == before
    require(pool, datas)
    pool.close()


def require(pool: OpenPool, datas: dict[bytes, bytes]) -> None:
    keys = list(datas)
    rows = pool.store.get_many(keys)
    assert all(rows), [key for key, row in zip(keys, rows, strict=True) if row is None][:3]
    found = pool.store.read_many(Blobs.of([row.extents for row in rows if row]))
    for key, data in zip(keys, found, strict=True):
        assert not isinstance(data, MaruError), data
        assert bytes(data) == datas[key]


def filled_without_index(hub: Path) -> tuple[Rows, dict[bytes, bytes]]:
    """Its rows and its data, some of them in strips and some in a log, where the index has gone."""
    pool = opened(hub)
    datas = put(pool, 150)
    seal(pool)
    datas |= put(pool, 30, seed=2, tag=b"b")
    before = rows_of(pool)
    pool.close()
    shutil.rmtree(hub / "index")
    return before, datas


def test_rebuild_from_strips_alone_gives_the_same_rows(hub: Path):
    before, datas = filled_without_index(hub)
    require_rebuilt(hub, before, datas)


@pytest.mark.parametrize("lost", [(0, 1), (2, 5), (3, 4)])
def test_rebuild_with_two_blades_lost(hub: Path, lost: tuple[int, ...]):
    before, datas = filled_without_index(hub)
    for number in lost:
        shutil.rmtree(hub / "blades" / str(number))
    require_rebuilt(hub, before, datas)


def test_older_index_put_back_sees_what_was_sealed_since(hub: Path, tmp_path: Path):
    pool = opened(hub)
    datas = put(pool, 40)
    pool.close()
    shutil.copytree(hub / "index", tmp_path / "older")
    pool = opened(hub)
    datas |= put(pool, 100, seed=3, tag=b"b")
    remove(pool, list(datas)[:10])
    seal(pool)
    before = rows_of(pool)
    pool.close()
    shutil.rmtree(hub / "index")
    shutil.copytree(tmp_path / "older", hub / "index")
    require_rebuilt(hub, before, dict(list(datas.items())[10:]))


def test_older_index_put_back_after_records_were_left_out(hub: Path, tmp_path: Path):
    """What it lacks stands in no log any more: only a rebuild from the checkpoint knows."""
    pool = opened(hub)
    datas = put(pool, 60)
    pool.close()
    shutil.copytree(hub / "index", tmp_path / "older")
    pool = opened(hub)
    remove(pool, list(datas)[:20])
    covered = pool.store.checkpoint().began_after
    seal(pool, covered=covered)
    before = rows_of(pool)
    pool.close()
    shutil.rmtree(hub / "index")
    shutil.copytree(tmp_path / "older", hub / "index")
    pool = opened(hub)
    assert rows_of(pool) == before
    assert not any(pool.store.get_many(list(datas)[:20]))
    require(pool, dict(list(datas.items())[20:]))
    pool.close()


def test_rebuild_after_records_were_left_out(hub: Path):
    pool = opened(hub)
    datas = put(pool, 120)
    remove(pool, list(datas)[:60])
    covered = pool.store.checkpoint().began_after
    seal(pool, covered=covered)
    seal(pool, covered=covered)
    before = rows_of(pool)
    pool.close()
    shutil.rmtree(hub / "index")
    require_rebuilt(hub, before, dict(list(datas.items())[60:]))


def test_old_copy_of_a_log_that_comes_back_hides_nothing(hub: Path, tmp_path: Path):
    pool = opened(hub)
    datas = put(pool, 20)
    pool.close()
    (log,) = {path.name for path in (hub / "blades").glob("*/segments/*.log") if path.stat().st_size > 50_000}
    home = next(path for path in sorted((hub / "blades").glob(f"*/segments/{log}")))
    shutil.copy(home, tmp_path / "stale")
    pool = opened(hub)
    datas |= put(pool, 100, seed=2, tag=b"b")
    seal(pool)
    before = rows_of(pool)
    pool.close()
    shutil.copy(tmp_path / "stale", home)
    shutil.rmtree(hub / "index")
    require_rebuilt(hub, before, datas)


def test_newer_act_that_lost_its_data_is_passed_over(hub: Path):
    """Headers reached the drives, data didn't: the older act is what counts."""
    pool = opened(hub)
    datas = put(pool, 100)
    seal(pool)
    before = rows_of(pool)
    pool.close()
    for strip in list((hub / "blades").glob("*/segments/*.strip")):
        segment, act, number, suffix = strip.name.split(".")
        newer = strip.with_name(f"{segment}.{int(act) + 1}.{number}.{suffix}")
        newer.write_bytes(_as_of_a_newer_act(strip.read_bytes(), int(act) + 1))
    shutil.rmtree(hub / "index")
    require_rebuilt(hub, before, datas)


def _as_of_a_newer_act(data: bytes, act: int) -> bytes:
    from dataclasses import replace

    from maruhub.store.format.strip import decode_strip_header, encode_strip_header

    header = decode_strip_header(data, where="a strip")
    fresh = encode_strip_header(replace(header, act=act, act_id=b"n" * 16))
    return fresh + bytes(len(data) - len(fresh))


def test_read_only_hub_of_strips_opens(hub: Path):
    pool = opened(hub)
    datas = put(pool, 60)
    seal(pool)
    pool.close()
    pool = opened(hub, read_only=True)
    require(pool, datas)
    pool.close()


def test_strips_without_a_chain_that_never_came_to_count(hub: Path, monkeypatch: pytest.MonkeyPatch):
    """An act was killed before its turn: the logs beside its strips are the segments, and have tails."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    pool = opened(hub)
    datas = put(pool, 60)
    pool.store.close_logs(0)
    covered = pool.store.checkpoint().began_after
    with monkeypatch.context() as at, pool.store.acting() as acts:
        at.setattr(acts._turn, "restate", die)
        at.setattr(StripFiles, "remove", lambda _: None)
        for layout in [layout for layout in pool.store.layouts() if layout.closed]:
            with pytest.raises(KeyboardInterrupt):
                acts.recut(layout.segment, covered=covered)
    assert list(hub.glob("blades/*/segments/*.strip"))
    before = comparable(dict(pool.store._index.scan(b"", AFTER_ALL, 1_000_000)))
    pool.close()
    shutil.rmtree(hub / "index")
    pool = opened(hub)
    assert comparable(dict(pool.store._index.scan(b"", AFTER_ALL, 1_000_000))) == before
    require(pool, datas)
    pool.close()
