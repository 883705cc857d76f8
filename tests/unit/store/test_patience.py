"""How long a blade is waited for, and that nobody waits for one that stalls."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.store.format.extent import Blobs
from maruhub.store.local_blade import LocalFile
from maruhub.store.protocol import read
from maruhub.store.read.patience import Errand, Patience


def _slowly(seconds: float) -> Errand:
    return Errand(lambda: time.sleep(seconds), 1.0)


def test_blade_that_answers_is_waited_for():
    patience = Patience()
    assert patience.run({b"a": _slowly(0.01), b"b": _slowly(0)}) == set()
    assert not patience.is_late(b"a")


def test_late_blade_is_left_until_it_has_answered():
    patience = Patience()
    for _ in range(5):
        patience.run({b"a": _slowly(0.001)})
    answer = threading.Event()
    start = time.monotonic()
    assert patience.run({b"a": Errand(lambda: answer.wait(20) and None, 1.0), b"b": _slowly(0)}) == {b"a"}
    assert patience.run({b"a": _slowly(0)}) == {b"a"}
    assert time.monotonic() - start < 10
    assert patience.is_late(b"a")
    answer.set()
    for _ in range(1000):
        if not patience.is_late(b"a"):
            break
        time.sleep(0.01)
    assert patience.run({b"a": _slowly(0)}) == set()


def test_one_stall_does_not_make_all_others_wait_for_ever():
    patience = Patience()
    patience.run({b"a": _slowly(0.001)})
    blade = patience._blades[b"a"]
    before = blade._seconds_a_unit
    assert before is not None
    patience.run({b"a": _slowly(0.05)})
    assert blade._seconds_a_unit is not None
    assert blade._seconds_a_unit <= 2.1 * before


def test_many_at_once_are_all_done():
    patience = Patience()
    done: list[int] = []

    def many() -> None:
        for _ in range(20):
            # On a busy machine one may be late, and then others are not begun.
            patience.run({b"a": Errand(lambda: done.append(1), 1.0)}, least_s=60.0)

    threads = [threading.Thread(target=many) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 800


# ------------------------------------------------------------ whole reads


@pytest.mark.parametrize("mapped", [True, False])
def test_stalled_blade_does_not_stall_reads(
    pool: compose.OpenPool, monkeypatch: pytest.MonkeyPatch, mapped: bool
):
    """The drive of one blade stops answering; what it holds is decoded from the others."""
    datas = [os.urandom(30_000 + n) for n in range(60)]
    blobs = pool.store.append(datas)
    pool.store.commit(
        lambda rows: [rows.put(b"K%d" % n, b"", extents=blob) for n, blob in enumerate(blobs)] and None
    )
    pool.store.close_logs(0)
    with pool.store.acting() as acts:
        for layout in list(pool.store.layouts()):
            acts.recut(layout.segment)
    answer = threading.Event()
    stalled = str(pool.path / "blades" / "2")
    honest_init, honest_read = LocalFile.__init__, LocalFile.read_into

    def opened(self: LocalFile, path: Path, flags: int) -> None:
        if str(path).startswith(stalled):
            answer.wait(30)
        honest_init(self, path, flags)

    monkeypatch.setattr(LocalFile, "__init__", opened)
    if not mapped:
        monkeypatch.setattr(LocalFile, "map", lambda self: None)
        monkeypatch.setattr(LocalFile, "read_into", honest_read)
    fresh = pool.store._reader.__class__(pool.store._layouts, pool.store.blades)
    for _ in range(3):
        fresh._is_warm = lambda *_, **__: False  # type: ignore[method-assign]
        start = time.monotonic()
        found = fresh.read_many(Blobs.of(blobs), verify=True)
        assert [bytes(data) for data in found] == datas
        assert time.monotonic() - start < 15
    assert 0 < fresh.counts.degraded < 3 * len(datas)
    answer.set()
    fresh.close()


def test_single_read_of_a_lone_blade_waits(tmp_path: Path):
    pool = compose.create_pool(tmp_path / "one", n=1)
    (blob,) = pool.store.append([b"x" * 5000])
    pool.store.commit(lambda rows: rows.put(b"K", b"", extents=blob))
    pool.store._reader._is_warm = lambda *_, **__: False  # type: ignore[method-assign]
    assert read(pool.store, blob) == b"x" * 5000
    pool.close()


def test_what_an_errand_raises_is_raised_and_its_hand_goes_on():
    patience = Patience()

    def fail() -> None:
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        patience.run({b"a": Errand(fail, 1.0)})
    done: list[int] = []
    assert patience.run({b"a": Errand(lambda: done.append(1), 1.0)}) == set()
    assert done == [1]
