"""One pool in many processes at once: forked, spawned, killed."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import Busy, MaruError
from maruhub.store.commit.turn import CommitTurn
from maruhub.store.format.extent import Blobs
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.protocol import Store, get, read
from maruhub.store.store import PoolStore
from maruhub.testing.bytes_suite import put

# Python 3.12 and later warn of what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    compose.create_pool(tmp_path / "hub", n=3, segment_bytes=4 << 20).close()
    return tmp_path / "hub"


@pytest.fixture
def pool(hub: Path) -> Iterator[compose.OpenPool]:
    opened = compose.open_pool(hub)
    yield opened
    opened.close()


class Child:
    """A forked child that does one thing; ``result`` is what it said, or its error's text."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                answer = str(act())
            except BaseException as error:  # a child must never return into pytest
                answer = f"{type(error).__name__}: {error}"
            os.write(writing, answer.encode())
            os._exit(0)
        os.close(writing)

    def result(self) -> str:
        deadline = threading.Timer(30, os.kill, (self.pid, signal.SIGKILL))
        deadline.start()
        try:
            with os.fdopen(self._reading, "rb") as pipe:
                return pipe.read().decode()
        finally:
            os.waitpid(self.pid, 0)
            deadline.cancel()


def state_of(store: Store) -> dict[bytes, bytes]:
    """All rows' bytes, verified."""
    rows = store.scan(b"K", b"L", 10_000)
    views = store.read_many(Blobs.of([row.extents for row in rows]))
    assert not [view for view in views if isinstance(view, MaruError)]
    return {row.key: bytes(view) for row, view in zip(rows, views, strict=True)}


def use(path: Path, act: Callable[[PoolStore], object]) -> object:
    """Opens the pool for one act."""
    pool = compose.open_pool(path)
    try:
        return act(pool.store)
    finally:
        pool.close()


def rebuilt(path: Path) -> dict[bytes, bytes]:
    """What the pool holds by its segments alone."""
    shutil.rmtree(path / "index")
    return use(path, state_of)


def count_up(store: Store, times: int) -> None:
    for _ in range(times):

        def increase(rows) -> None:
            row = get(rows, b"Kcount")
            rows.put(b"Kcount", str(int(row.payload) + 1 if row else 1).encode())

        store.commit(increase)


# ------------------------------------------------------------ beside each other


def answer_puts(path: str, questions: Connection) -> None:
    """Reads each key it is told of, and puts an answer under it."""
    pool = compose.open_pool(Path(path))
    while key := questions.recv():
        row = get(pool.store, key)
        data = bytes(read(pool.store, row.extents)) if row else b"nothing"
        put(pool.store, key, data + b"!")
        questions.send(row is not None)
    count_up(pool.store, 20)
    pool.close()
    questions.send("done")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_what_one_process_wrote_the_other_reads(pool: compose.OpenPool, method: str):
    context = multiprocessing.get_context(method)
    mine, theirs = context.Pipe()
    child = context.Process(target=answer_puts, args=(str(pool.path), theirs))
    child.start()
    theirs.close()
    for number in range(20):
        key = b"K%d" % (number % 7)
        put(pool.store, key, b"%d" % number * (number * 300))
        mine.send(key)
        assert mine.recv()
        row = get(pool.store, key)
        assert row is not None
        assert bytes(read(pool.store, row.extents)) == b"%d" % number * (number * 300) + b"!"
    mine.send(b"")
    count_up(pool.store, 20)
    assert mine.recv() == "done"
    child.join(30)
    assert child.exitcode == 0
    assert get(pool.store, b"Kcount").payload == b"40"


def test_a_program_of_its_own_writes_beside(pool: compose.OpenPool):
    program = (
        "import sys; from pathlib import Path; from maruhub import compose\n"
        "pool = compose.open_pool(Path(sys.argv[1])); store = pool.store\n"
        "[blob] = store.append([b'theirs' * 1000])\n"
        "store.commit(lambda rows: rows.put(b'Ktheirs', b'', extents=blob)); pool.close()\n"
    )
    put(pool.store, b"Kmine", b"mine")
    subprocess.run([sys.executable, "-W", "error", "-c", program, str(pool.path)], check=True, timeout=60)
    assert state_of(pool.store) == {b"Kmine": b"mine", b"Ktheirs": b"theirs" * 1000}


def test_writers_lose_no_change_of_each_other(hub: Path):
    def work(name: int) -> Callable[[], object]:
        def act(store: PoolStore) -> str:
            for number in range(15):
                put(store, b"K%d.%d" % (name, number), b"%d" % name * (number * 500))
                count_up(store, 1)
            return "ok"

        return lambda: use(hub, act)

    children = [Child(work(name)) for name in range(4)]
    assert [child.result() for child in children] == ["ok"] * 4
    wanted = {b"K%d.%d" % (a, b): b"%d" % a * (b * 500) for a in range(4) for b in range(15)}
    assert use(hub, state_of) == {**wanted, b"Kcount": b""}
    assert use(hub, lambda store: get(store, b"Kcount").payload) == b"60"
    assert rebuilt(hub) == {**wanted, b"Kcount": b""}


# ------------------------------------------------------------ fork


def test_child_writes_and_reads_in_the_parents_store(pool: compose.OpenPool):
    put(pool.store, b"Kparent", b"p" * 9000)

    def act() -> object:
        before = state_of(pool.store)
        put(pool.store, b"Kchild", b"c" * 9000)
        return sorted([*before, *state_of(pool.store)])

    assert Child(act).result() == str([b"Kchild", b"Kparent", b"Kparent"])
    put(pool.store, b"Kparent", b"again")
    assert state_of(pool.store) == {b"Kparent": b"again", b"Kchild": b"c" * 9000}


def test_fork_while_threads_write(pool: compose.OpenPool):
    stop = threading.Event()
    written: list[list[bytes]] = [[] for _ in range(3)]

    def write(name: int) -> None:
        number = 0
        while not stop.is_set():
            key = b"K%d.%d" % (name, number)
            put(pool.store, key, key * 200)
            written[name].append(key)
            number += 1

    threads = [threading.Thread(target=write, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(5):

            def act(turn: int = turn) -> str:
                put(pool.store, b"Kchild%d" % turn, b"c" * 5000)
                assert read(pool.store, get(pool.store, b"Kchild%d" % turn).extents) == b"c" * 5000
                return "ok"

            assert Child(act).result() == "ok"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    state = state_of(pool.store)
    assert all(state[key] == key * 200 for keys in written for key in keys)
    assert len(state) == sum(map(len, written)) + 5
    pool.close()
    assert rebuilt(pool.path) == state


# ------------------------------------------------------------ short lives


def test_a_hundred_short_lived_writers_make_one_segment_a_class(hub: Path):
    def put_one(number: int) -> Callable[[PoolStore], object]:
        def act(store: PoolStore) -> None:
            put(store, b"K%03d" % number, b"x" * (number * 50))
            store.commit(lambda rows: rows.put(b"Knote", b"%d" % number))

        return act

    for number in range(100):
        assert Child(lambda number=number: use(hub, put_one(number))).result() == "None"
    layouts = use(hub, lambda store: list(store.layouts()))
    assert sorted(layout.segment_class for layout in layouts) == [SegmentClass.RAW, SegmentClass.META]
    assert len(list((hub / "blades").glob("*/segments/*.log"))) == 6
    wanted = {b"K%03d" % number: b"x" * (number * 50) for number in range(100)} | {b"Knote": b""}
    assert use(hub, state_of) == rebuilt(hub) == wanted


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_writer_left_is_never_seen(hub: Path):
    def write_and_die(number: int) -> None:
        pool = compose.open_pool(hub)
        put(pool.store, b"K%d" % number, b"kept" * (number + 1))
        pool.store.append([os.urandom(50_000), b"garbage" * number])
        die()

    wanted = {}
    for number in range(10):
        assert Child(lambda number=number: write_and_die(number)).result() == ""
        wanted[b"K%d" % number] = b"kept" * (number + 1)
        assert use(hub, state_of) == wanted
    put_last = use(hub, lambda store: put(store, b"Klast", b"l"))
    assert put_last
    # Adopted each time, garbage and all.
    assert len(list((hub / "blades").glob("*/segments/*.log"))) == 3
    assert rebuilt(hub) == {**wanted, b"Klast": b"l"}


def die_before_the_index_commits(path: Path | compose.OpenPool, key: bytes) -> None:
    """The batch is synced on all blades; nobody ever hears of it."""
    pool = compose.open_pool(path) if isinstance(path, Path) else path
    put(pool.store, b"Kfirst", b"of this writer")
    write = CommitTurn._write

    def write_and_die(self, *args):
        write(self, *args)
        die()

    CommitTurn._write = write_and_die  # in this child alone
    put(pool.store, key, b"unheard of")


def test_a_turn_that_others_went_on_without_is_void(pool: compose.OpenPool):
    put(pool.store, b"Kmine", b"1")
    assert Child(lambda: die_before_the_index_commits(pool, b"Ktheirs")).result() == ""
    assert get(pool.store, b"Ktheirs") is None
    put(pool.store, b"Kmine", b"2")
    wanted = {b"Kfirst": b"of this writer", b"Kmine": b"2"}
    assert state_of(pool.store) == wanted
    pool.close()
    assert use(pool.path, state_of) == wanted
    assert rebuilt(pool.path) == wanted


def test_a_turn_that_nobody_went_on_without_is_there_whole_for_ever(hub: Path):
    assert Child(lambda: die_before_the_index_commits(hub, b"Ktheirs")).result() == ""
    wanted = {b"Kfirst": b"of this writer", b"Ktheirs": b"unheard of"}
    assert use(hub, state_of) == wanted
    use(hub, lambda store: put(store, b"Klater", b""))
    assert rebuilt(hub) == {**wanted, b"Klater": b""}


# ------------------------------------------------------------ at once


def open_at_once(hub: Path, count: int) -> list[str]:
    waiting, go = os.pipe()

    def act(number: int) -> str:
        os.close(go)
        os.read(waiting, 1)  # returns when the parent lets go of the other end
        return str(use(hub, lambda store: put(store, b"K%d" % number, b"x" * number) is not None))

    children = [Child(lambda number=number: act(number)) for number in range(count)]
    os.close(go)
    os.close(waiting)
    return [child.result() for child in children]


@pytest.mark.parametrize("what", ["fresh", "killed", "without an index"])
def test_many_open_at_once(hub: Path, what: str):
    wanted = {b"K%d" % number: b"x" * number for number in range(6)}
    if what != "fresh":
        assert Child(lambda: die_before_the_index_commits(hub, b"Ktheirs")).result() == ""
        wanted |= {b"Kfirst": b"of this writer", b"Ktheirs": b"unheard of"}
    if what == "without an index":
        shutil.rmtree(hub / "index")
    assert open_at_once(hub, 6) == ["True"] * 6
    assert use(hub, state_of) == wanted
    assert rebuilt(hub) == wanted


def test_rebuild_is_refused_while_another_has_the_hub(pool: compose.OpenPool):
    put(pool.store, b"K", b"kept")

    def ask() -> str:
        other = compose.open_pool(pool.path)
        with pytest.raises(Busy, match="in use"):
            other.rebuild_index()
        put(other.store, b"Kother", b"after the refusal")
        with pytest.raises(Busy, match="in use"):
            other.rebuild_index()
        other.close()
        return "refused"

    assert Child(ask).result() == "refused"
    assert state_of(pool.store) == {b"K": b"kept", b"Kother": b"after the refusal"}
    assert not pool.rebuild_index().problems
    assert state_of(pool.store) == {b"K": b"kept", b"Kother": b"after the refusal"}


def test_a_forked_child_that_has_the_hub_keeps_its_parent_from_a_rebuild(pool: compose.OpenPool):
    """Also a refused process keeps the others: who asks for more must not lose what it had."""
    ready, begun = os.pipe()
    done, hold = os.pipe()

    def stay() -> str:
        os.close(hold)
        os.write(begun, b".")
        os.read(done, 1)
        return "left"

    def ask() -> str:
        other = compose.open_pool(pool.path)
        with pytest.raises(Busy):
            other.rebuild_index()
        return "refused"

    child = Child(stay)
    os.read(ready, 1)
    with pytest.raises(Busy):
        pool.rebuild_index()
    os.close(hold)
    assert child.result() == "left"
    assert Child(ask).result() == "refused"
    for end in (ready, begun, done):
        os.close(end)
    pool.rebuild_index()
