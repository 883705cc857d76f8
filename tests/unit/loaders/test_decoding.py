"""Decoding in a loader: values in order, errors by policy, threads that end, a cache that is honest."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from maruhub.errors import Corrupt, InvalidData, InvalidInput
from maruhub.loaders import Batches, decoders
from maruhub.loaders.ahead import Window
from maruhub.loaders.decoded_cache import DecodedCache, size_of
from maruhub.store.format.extent import Blobs
from maruhub.testing.memory_store import MemoryStore
from tests.unit.loaders.sources import BlankStore, StoredSource, SyntheticSource

PAYLOADS = [f"{i}".encode() for i in range(101)]
MODES = [(threads, prefetch) for threads in (1, 3) for prefetch in (0, 1, 64 << 20)]
SMALL = Window(chunk_samples=20, piece_extents=7)


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    yield
    gc.collect()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _threads():
        time.sleep(0.01)
    assert not _threads()


def _threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith(("maruhub-prefetch", "maruhub-decode"))]


def number(blob: memoryview) -> int:
    """Slower for some, so that threads overtake each other."""
    value = int(bytes(blob))
    time.sleep(0.0005 * (value % 3))
    return value


@pytest.mark.parametrize(("threads", "prefetch"), MODES)
def test_values_stand_in_the_order_of_the_samples(threads: int, prefetch: int) -> None:
    store = MemoryStore()
    source = StoredSource(store, PAYLOADS)
    options: dict[str, Any] = {"seed": 3, "prefetch": prefetch, "window": SMALL}
    batches = Batches(
        source, store, 8, decode=number, transform=lambda n: n * 10, decode_threads=threads, **options
    )
    plain = Batches(source, store, 8, **options)
    for _ in range(2):
        for batch, raw in itertools.zip_longest(batches, plain):
            assert batch.ids == raw.ids
            assert batch.values == [10 * int(bytes(blob)) for blob in raw.blobs]
            assert list(map(bytes, batch.blobs)) == list(map(bytes, raw.blobs))
            assert raw.values == raw.blobs
    assert batches.stats().decode_s > 0
    assert "decode" in str(batches.stats())
    assert "decode" not in str(plain.stats())


@pytest.mark.parametrize(("threads", "prefetch"), MODES)
def test_a_sample_that_cannot_be_decoded_goes_by_the_policy(threads: int, prefetch: int) -> None:
    store = MemoryStore()
    source = StoredSource(store, PAYLOADS)
    order = [i for b in Batches(source, store, 10, seed=7) for i in b.ids]
    options: dict[str, Any] = {"seed": 7, "prefetch": prefetch, "decode_threads": threads, "window": SMALL}

    def fussy(blob: memoryview) -> int:
        if int(bytes(blob)) in (12, 60):
            raise ZeroDivisionError("of all things")
        return int(bytes(blob))

    raising = Batches(source, store, 10, decode=fussy, **options)
    first = min(order.index("b/12"), order.index("b/60"))
    for _ in range(first // 10):
        next(raising)
    for _ in range(2):  # as often as it is asked for; nothing is consumed
        with pytest.raises(
            InvalidData, match=rf"sample {order[first]}: .*ZeroDivisionError: of all"
        ) as caught:
            next(raising)
    assert isinstance(caught.value.__cause__.__cause__, ZeroDivisionError)  # type: ignore[union-attr]
    assert raising.state_dict()["position"] == first // 10 * 10
    raising.close()

    skipping = Batches(source, store, 10, decode=fussy, on_error="skip", **options)
    got = [(i, v) for b in skipping for i, v in zip(b.ids, b.values, strict=True)]
    assert got == [(i, int(i[2:])) for i in order if i not in ("b/12", "b/60")]
    assert {s.id for s in skipping.skipped} == {"b/12", "b/60"}
    assert all("ZeroDivisionError" in s.reason for s in skipping.skipped)
    assert skipping.stats().skipped == 2

    filling = Batches(source, store, 10, transform=lambda b: fussy(b) + 1, on_error="substitute", **options)
    for batch in filling:
        assert len(batch) in (10, 1)
        assert batch.values == [int(i[2:]) + 1 for i in batch.ids]
    assert [s.substitute in order for s in filling.skipped] == [True, True]


def test_an_unreadable_sample_is_not_decoded_and_keeps_its_own_reason() -> None:
    store = MemoryStore()
    source = StoredSource(store, PAYLOADS)
    store.rot(source.stored[5])
    batches = Batches(source, store, 10, decode=number, shuffle=False, on_error="skip")
    assert [v for b in batches for v in b.values] == [i for i in range(101) if i != 5]
    assert "no intact copy" in batches.skipped[0].reason
    with pytest.raises(Corrupt, match="b/5"):
        list(Batches(source, store, 10, decode=number, shuffle=False))


def test_several_threads_decode_at_once() -> None:
    store = MemoryStore()
    source = StoredSource(store, PAYLOADS)
    meeting = threading.Barrier(4, timeout=20)  # broken, hence an error, unless four come together
    calls = itertools.count()

    def meet(blob: memoryview) -> int:
        if next(calls) < 4:
            meeting.wait()
        return 1

    batches = Batches(source, store, 20, decode=meet, decode_threads=4)
    assert sum(next(batches).values) == 20
    batches.close()


def test_what_was_decoded_counts_in_what_may_wait_ready() -> None:
    store = BlankStore(size_bytes=10)
    batches = Batches(
        SyntheticSource(100_000),
        store,
        10,
        decode=lambda blob: np.zeros(1000, dtype=np.uint8),
        decode_threads=1,
        prefetch=50_000,
        window=Window(piece_extents=10, pieces_ahead=1, chunk_samples=10),
    )
    next(batches)
    deadline = time.monotonic() + 5
    while store.read < 60 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.1)
    assert store.read <= 80  # one out, four waiting (10,100 bytes each), one in the thread's hand
    batches.close()


class Watching(BlankStore):
    def __init__(self) -> None:
        super().__init__(size_bytes=10)
        self.extents = 0

    def read_many(self, blobs: Blobs, *, verify: bool = True) -> list[memoryview]:
        self.extents += len(blobs.extents)
        return [self._view if n else memoryview(b"") for n in np.diff(blobs.starts)]


@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_held_is_not_read_or_decoded_again_and_comes_out_the_same(threads: int) -> None:
    store, decoded = Watching(), []

    def decode(blob: memoryview) -> np.ndarray:
        assert len(blob) == 10
        decoded.append(1)
        return np.frombuffer(bytes(blob) * 10, dtype=np.uint8).copy()

    batches = Batches(
        SyntheticSource(200),
        store,
        16,
        seed=2,
        decode=decode,
        transform=lambda array: array.sum() + 1,
        decode_threads=threads,
        cache_bytes=120 * 100,
    )
    for epoch in range(3):
        got = list(batches)
        assert sum(map(len, got)) == 200
        assert all(v == 1 for b in got for v in b.values)
        assert store.extents == len(decoded) == 200 + 80 * epoch
        assert batches.stats().cached == 120 * epoch
    assert sum(len(blob) == 0 for b in got for blob in b.blobs) == 120


def test_a_held_array_cannot_be_written_to() -> None:
    batches = Batches(
        SyntheticSource(4), BlankStore(8), 4, decode=lambda b: np.zeros(3), cache_bytes=1000, shuffle=False
    )
    assert len(list(batches)) == 1
    with pytest.raises(ValueError, match="read-only"):
        next(iter(batches)).values[0][0] = 1
    batches.close()


def test_a_cache_never_passes_its_limit() -> None:
    cache = DecodedCache(1000)
    for row in range(100):
        cache.put(row, np.zeros(30, dtype=np.uint8))
        cache.put(row, np.zeros(30, dtype=np.uint8))
    assert (len(cache), cache.size_bytes) == (33, 990)
    assert cache.known(np.array([0, 99], dtype=np.uint64)).tolist() == [True, False]  # type: ignore[union-attr]
    assert DecodedCache(0).known(np.array([0], dtype=np.uint64)) is None
    assert size_of((np.zeros(10, dtype=np.uint8), [np.zeros(5, dtype=np.uint8)])) == 15
    assert size_of("text") >= 4


def test_leaving_in_the_middle_ends_the_threads() -> None:
    for prefetch in (0, 1 << 20):
        batches = Batches(
            SyntheticSource(10_000), BlankStore(10), 10, decode=bytes, decode_threads=3, prefetch=prefetch
        )
        next(batches)
        batches.close()
        forgotten = Batches(
            SyntheticSource(10_000), BlankStore(10), 10, decode=bytes, decode_threads=3, prefetch=prefetch
        )
        next(forgotten)
        del forgotten


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("prefetch", [0, 1 << 20])
def test_a_forked_child_decodes_with_threads_of_its_own(prefetch: int) -> None:
    batches = Batches(
        SyntheticSource(1000), BlankStore(10), 10, decode=bytes, decode_threads=2, prefetch=prefetch
    )
    next(batches)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if len(list(batches)) == 99 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(list(batches)) == 99


def test_the_interpreter_exits_in_the_middle_of_decoding() -> None:
    code = (
        "import time\n"
        "from maruhub.loaders import Batches\n"
        "from tests.unit.loaders.sources import *\n"
        "def slow(blob):\n"
        "    time.sleep(0.001)\n"
        "    return bytes(blob)\n"
        "b = Batches(SyntheticSource(10**6), BlankStore(100), 100, decode=slow, decode_threads=3)\n"
        "next(b)\n"
        "print('left')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "left\n", "")


@pytest.mark.parametrize(
    "wrong", [{"decode": "image"}, {"transform": 1}, {"decode_threads": 0}, {"cache_bytes": -1}]
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        Batches(SyntheticSource(10), BlankStore(10), 2, **wrong)


def test_a_decoder_of_the_shelf_works_in_a_loader() -> None:
    store = MemoryStore()
    source = StoredSource(store, PAYLOADS)
    batches = Batches(source, store, 10, decode=decoders.Text(), shuffle=False)
    assert [v for b in batches for v in b.values] == [str(i) for i in range(101)]


@pytest.mark.parametrize(("threads", "prefetch"), MODES)
def test_a_decoder_that_wants_to_end_the_process_is_heard_in_the_training_loop(
    threads: int, prefetch: int
) -> None:
    def leave(blob: memoryview) -> int:
        raise SystemExit(3)

    batches = Batches(
        SyntheticSource(100), BlankStore(10), 10, decode=leave, decode_threads=threads, prefetch=prefetch
    )
    with pytest.raises(SystemExit):
        next(batches)
    assert batches.state_dict()["position"] == 0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_cache_goes_on_in_a_child_that_was_forked_while_a_thread_put_into_it() -> None:
    cache = DecodedCache(1000)
    cache.put(1, b"one")
    with cache._lock:
        child = os.fork()
        if not child:
            signal.alarm(20)
            cache.put(2, b"two")
            os._exit(0 if (cache.get(1), cache.get(2)) == (b"one", b"two") else 1)
    assert os.waitpid(child, 0)[1] == 0
    cache.put(3, b"three")
    assert (cache.get(2), cache.get(3)) == (None, b"three")
