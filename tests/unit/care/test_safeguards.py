"""What keeps live bytes from being freed, each on a real pool; docs/internals/reclaim.md leans on it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.api.reclaim import reclaim_of
from maruhub.compose import OpenPool
from maruhub.errors import Conflict, MaruError, Unavailable
from maruhub.namespace import Namespace, ObjectInfo
from maruhub.store.format.extent import Blobs
from maruhub.store.seal.act import Outcome

Change = Callable[[], object]


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[OpenPool]:
    pool = compose.create_pool(tmp_path / "hub", n=4, segment_bytes=1 << 20)
    Namespace(pool.store).buckets.create("photos", delay_s=0)
    yield pool
    pool.close()


@pytest.fixture
def ns(pool: OpenPool) -> Namespace:
    return Namespace(pool.store, "ann")


def put_closed(ns: Namespace, data: bytes) -> ObjectInfo:
    """An object in a segment that is closed by then, with others behind it."""
    info = ns.objects.put("photos", "first", data)
    for n in range(6):
        ns.objects.put("photos", f"rest{n}", os.urandom(300_000))
    return info


def act(pool: OpenPool, info: ObjectInfo) -> Outcome:
    while True:
        with pool.store.acting() as acts:
            outcome = acts.recut(info.extents[0].segment).outcome
        # Whoever filled the segment may be sealing it just now.
        if outcome not in (Outcome.BUSY, Outcome.CHANGED):
            return outcome
        time.sleep(0.01)


def forget(pool: OpenPool, ns: Namespace, *keys: str) -> None:
    ns.objects.delete_many("photos", keys)
    assert reclaim_of(pool.store).expire().rows["object version"] == len(keys)


def read(pool: OpenPool, info: ObjectInfo) -> memoryview | MaruError:
    return pool.store.read_many(Blobs.of([info.extents]))[0]


def test_bytes_are_freed_once_nothing_names_them_and_not_before(pool: OpenPool, ns: Namespace) -> None:
    data = os.urandom(200_000)
    info = put_closed(ns, data)
    ns.objects.copy("photos", "first", "photos", "copy")
    forget(pool, ns, "first")
    assert act(pool, info) is Outcome.DONE
    assert read(pool, info) == data
    forget(pool, ns, "copy")
    assert act(pool, info) is Outcome.DONE
    # This process may still have the old file mapped; the layout is what counts for all others.
    layout = next(each for each in pool.store.layouts() if each.segment == info.extents[0].segment)
    assert layout.range_of(info.extents[0].offset, info.extents[0].length) is None


def test_hidden_bytes_survive_an_act_and_come_back(pool: OpenPool, ns: Namespace) -> None:
    data = os.urandom(200_000)
    info = put_closed(ns, data)
    ns.buckets.set_delay("photos", 60)
    ns.objects.delete("photos", "first")
    assert reclaim_of(pool.store).expire().rows == {}
    assert act(pool, info) is Outcome.DONE
    ns.past.undelete("photos", "first")
    assert ns.objects.read("photos", "first") == data


def test_bytes_that_were_left_out_cannot_be_named_again(pool: OpenPool, ns: Namespace) -> None:
    info = put_closed(ns, os.urandom(200_000))
    forget(pool, ns, "first")
    assert act(pool, info) is Outcome.DONE
    with pytest.raises(Unavailable, match="too late"):
        pool.store.commit(lambda rows: rows.put(b"Zlate", b"", extents=info.extents))
    assert pool.store.get_many([b"Zlate"])[0] is None


def test_a_whole_segment_is_named_only_as_of_a_snapshot(pool: OpenPool, ns: Namespace) -> None:
    info = put_closed(ns, os.urandom(200_000))
    segment = info.extents[0].segment
    before = pool.store.commit(lambda rows: rows.counter)
    assert act(pool, info) is Outcome.DONE
    after = pool.store.commit(lambda rows: rows.counter)

    def name(snapshot: int) -> None:
        pool.store.commit(lambda rows: rows.put(b"Zwhole", b"", segments=[segment], snapshot=snapshot))

    with pytest.raises(Conflict):
        name(before)
    assert pool.store.get_many([b"Zwhole"])[0] is None
    name(after)


def test_views_outlive_the_files_that_they_came_from(pool: OpenPool, ns: Namespace) -> None:
    data = os.urandom(200_000)
    info = put_closed(ns, data)
    view = ns.objects.read("photos", "first")
    forget(pool, ns, "first")
    assert act(pool, info) is Outcome.DONE
    name = f"{info.extents[0].segment:016x}.log"
    assert not list(pool.path.glob(f"blades/*/segments/{name}"))
    assert view == data


READER = """
import sys
from pathlib import Path
from maruhub import compose
from maruhub.namespace import Namespace
pool = compose.open_pool(Path(sys.argv[1]))
read = lambda: bytes(Namespace(pool.store).objects.read("photos", "first"))[:8].hex()
print(read(), flush=True)
for _ in sys.stdin:
    print(read(), flush=True)
"""


def test_a_reader_in_another_process_finds_what_was_moved(pool: OpenPool, ns: Namespace) -> None:
    info = put_closed(ns, b"maruhub!" * 30_000)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(pool.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdin is not None
    assert reader.stdout is not None
    with reader:
        assert reader.stdout.readline().strip() == b"maruhub!".hex()
        for _ in range(3):
            assert act(pool, info) is Outcome.DONE
            reader.stdin.write("\n")
            reader.stdin.flush()
            assert reader.stdout.readline().strip() == b"maruhub!".hex()
        reader.stdin.close()
    assert reader.returncode == 0
