"""A hub is let go of: when it is closed, when nobody holds it any more, when its opening fails."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import Busy, MaruError, PreconditionFailed, Unavailable
from maruhub.namespace import Namespace
from maruhub.store.format.extent import Blobs
from tests.filled_pool import fill, held, held_open


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "hub"
    compose.create_pool(path, n=4, segment_bytes=1 << 20).close()
    return path


def test_a_closed_hub_has_nothing_open(hub: Path):
    # At once, not when the collector comes by: who closed a hub may unmount its drives.
    gc.disable()
    try:
        pool = compose.open_pool(hub)
        objects = fill(pool)
        assert held(pool) == objects
        assert held_open(hub)
        pool.close()
        assert held_open(hub) == []
    finally:
        gc.enable()


def damage_the_index(hub: Path) -> None:
    (hub / "index" / "data.mdb").write_bytes(bytes(8192))


def lose_index_and_blades(hub: Path) -> None:
    for folder in ("index", "blades/0", "blades/1", "blades/2"):
        shutil.rmtree(hub / folder)


def put_a_file_in_place_of_the_index(hub: Path) -> None:
    shutil.rmtree(hub / "index")
    (hub / "index").touch()


@pytest.mark.parametrize(
    ("harm", "read_only"),
    [
        (damage_the_index, True),
        (lambda hub: shutil.rmtree(hub / "index"), True),
        (put_a_file_in_place_of_the_index, False),
        (lose_index_and_blades, False),
    ],
)
def test_an_opening_that_fails_leaves_nothing_open(
    hub: Path, harm: Callable[[Path], None], read_only: bool
) -> None:
    # Else who is told to make the index anew would hear that the hub is in use.
    pool = compose.open_pool(hub)
    fill(pool)
    pool.close()
    harm(hub)
    gc.disable()
    try:
        with pytest.raises(MaruError):
            compose.open_pool(hub, read_only=read_only)
        assert held_open(hub) == []
    finally:
        gc.enable()


def test_a_hub_that_is_in_use_alone_is_said_and_let_go_of(hub: Path) -> None:
    with (hub / "hub.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(Busy, match="in use by another process"):
                compose.open_pool(hub)
        assert len(os.listdir("/proc/self/fd")) == before
    compose.open_pool(hub).close()


def test_an_index_put_aside_is_let_go_of(hub: Path) -> None:
    pool = compose.open_pool(hub)
    fill(pool)
    pool.close()
    data = hub / "index" / "data.mdb"
    # Its two first pages are sound: it is opened, and found to be damaged when it is asked.
    data.write_bytes(data.read_bytes()[:8192].ljust(data.stat().st_size, b"\0"))
    pool = compose.open_pool(hub)
    aside = [path for path in held_open(hub) if "damaged" in path]
    pool.close()
    assert aside == []


def test_a_closed_hub_reads_nothing_and_opens_no_file_again(hub: Path) -> None:
    # An epoch went on for as long as it liked, on drives that somebody had wanted to unmount.
    pool = compose.open_pool(hub)
    fill(pool)
    row = Namespace(pool.store).objects.head("photos", "dir/7")
    blobs = Blobs.of([row.extents])
    assert isinstance(pool.store.read_many(blobs)[0], memoryview)
    pool.close()
    gc.collect()
    for ask in (lambda: pool.store.read_many(blobs), lambda: pool.store.announce(blobs.extents)):
        with pytest.raises(Unavailable, match="closed"):
            ask()
    with pytest.raises(Unavailable, match="closed"):
        pool.store.append([b"late"])
    with pytest.raises(Unavailable, match="closed"):
        pool.rebuild_index()
    pool.store.disclaim([])
    pool.close()
    assert held_open(hub) == []


def test_a_writer_that_waits_while_a_hub_is_closed_begins_no_log(hub: Path) -> None:
    pool = compose.open_pool(hub)
    fill(pool)
    passed, said = threading.Event(), []

    def write() -> None:
        try:
            Namespace(pool.store, "me").objects.put("photos", "late", b"late")
        except Unavailable as error:
            said.append(error.what)

    def pass_through() -> None:
        with pool.store.acting():
            passed.set()
            time.sleep(0.1)

    writer = threading.Thread(target=write)
    real = pool.store._reader.close

    def close_reader() -> None:
        writer.join(5)
        real()

    pool.store._reader.close = close_reader  # type: ignore[method-assign]
    threading.Thread(target=pass_through).start()
    passed.wait()
    closing = threading.Thread(target=pool.close)
    closing.start()
    time.sleep(0.05)
    writer.start()
    closing.join()
    assert said == ["This hub is closed."]
    assert held_open(hub) == []


def test_a_hub_that_is_forgotten_is_let_go_of(hub: Path) -> None:
    # Frameworks hand hubs over with thousands of tasks, and close none.
    threads = threading.active_count()
    for _ in range(3):
        pool = compose.open_pool(hub)
        fill(pool)
        assert held(pool)
        del pool
        gc.collect()
    until = time.monotonic() + 10
    while threading.active_count() > threads and time.monotonic() < until:
        time.sleep(0.01)
    assert threading.active_count() == threads
    assert held_open(hub) == []


def test_what_outlives_a_forgotten_hub_goes_on(hub: Path) -> None:
    pool = compose.open_pool(hub)
    objects = fill(pool)
    names, other = Namespace(pool.store), compose.open_pool(hub)
    del pool
    gc.collect()
    assert bytes(names.objects.read("photos", "dir/7")) == objects["dir/7"]
    names.objects.put("photos", "more", b"more")
    del names
    gc.collect()
    assert held(other) == {**objects, "more": b"more"}
    other.close()
    assert held_open(hub) == []


def test_what_was_refused_is_held_no_longer_than_it_takes_to_say_so(hub: Path) -> None:
    pool = compose.open_pool(hub)
    fill(pool)
    objects, body = Namespace(pool.store, "me").objects, bytes(1000)
    before = sys.getrefcount(body)
    gc.disable()
    try:
        for _ in range(3):
            with pytest.raises(PreconditionFailed) as refused:
                objects.put("photos", "dir/1", body, if_none_match=True, request=b"once")
            del refused
        assert sys.getrefcount(body) == before
    finally:
        gc.enable()
        pool.close()


def test_who_closes_a_hub_that_is_being_closed_takes_nothing_from_under_it(hub: Path) -> None:
    pool = compose.open_pool(hub)
    fill(pool)
    begun, go = threading.Event(), threading.Event()

    def seal() -> None:
        begun.set()
        go.wait(10)

    pool.store._sealer.wait = seal  # type: ignore[method-assign]
    closing = [threading.Thread(target=pool.close) for _ in range(2)]
    closing[0].start()
    begun.wait()
    closing[1].start()
    closing[1].join(0.1)
    assert closing[1].is_alive()
    assert pool._index.get_many([b"Kcat"]) == [None]
    go.set()
    for thread in closing:
        thread.join()
    assert held_open(hub) == []
