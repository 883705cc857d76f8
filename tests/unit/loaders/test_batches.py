"""What a trainer sees: batches, state, errors, and where the time goes."""

from __future__ import annotations

import gc
import json
import threading
import time
import weakref
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from maruhub.errors import Corrupt, InvalidData, InvalidInput, StateMismatch, Unavailable, UnsupportedFormat
from maruhub.loaders import Batch, Batches
from maruhub.loaders.ahead import Window
from maruhub.store.format.extent import Blobs, ExtentArray
from maruhub.store.protocol import Store
from maruhub.testing.memory_store import MemoryStore
from tests.unit.loaders.sources import BlankStore, StoredSource, SyntheticSource

MODES = [0, 1, 64 << 20]
SMALL = Window(chunk_samples=20, piece_extents=7, piece_bytes=1 << 20, pieces_ahead=2)
PAYLOADS = [f"sample {i}".encode() * (i % 7) for i in range(101)]


@pytest.fixture
def source(store: Store) -> StoredSource:
    return StoredSource(store, PAYLOADS)


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    yield
    gc.collect()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and _reading_threads():
        time.sleep(0.01)
    assert not _reading_threads()


def _reading_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "maruhub-prefetch"]


@pytest.mark.parametrize("prefetch", MODES)
def test_an_epoch_hands_out_every_sample_once_with_its_bytes_and_labels(
    store: Store, source: StoredSource, prefetch: int
) -> None:
    batches = Batches(source, store, 8, seed=3, prefetch=prefetch, window=SMALL)
    got = list(batches)
    assert [len(b) for b in got] == [8] * 12 + [5] == [8] * (len(batches) - 1) + [5]
    assert [b.step for b in got] == list(range(13))
    rows = np.concatenate([b.positions for b in got]).tolist()
    assert sorted(rows) == list(range(101))
    assert rows != sorted(rows)
    for batch in got:
        at = batch.positions.tolist()
        assert batch.ids == [f"b/{row}" for row in at]
        assert [bytes(blob) for blob in batch.blobs] == [source.payloads[row] for row in at]
        assert batch.columns["label"].to_pylist() == [row % 10 for row in at]


@pytest.mark.parametrize("prefetch", MODES)
def test_epochs_follow_each_other_in_other_orders(store: Store, source: StoredSource, prefetch: int) -> None:
    batches = Batches(source, store, 10, seed=1, prefetch=prefetch)
    epochs = [ids(batches) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2]
    assert all(sorted(e) == sorted(epochs[0]) for e in epochs)
    through = Batches(source, store, 10, seed=1, prefetch=prefetch, epochs=3)
    assert ids(through) == [i for epoch in epochs for i in epoch]
    endless = Batches(source, store, 10, seed=1, prefetch=prefetch, epochs=None)
    # 101 samples make 11 batches an epoch.
    assert [i for b in islice(endless, 33) for i in b.ids] == [i for epoch in epochs for i in epoch]
    endless.close()


def test_unshuffled_is_the_views_own_sequence(store: Store, source: StoredSource) -> None:
    batches = Batches(source, store, 10, shuffle=False)
    assert ids(batches) == [f"b/{i}" for i in range(101)]
    assert batches.state_dict()["seed"] is None


def test_state_is_what_was_handed_out_not_what_was_read_ahead(store: Store, source: StoredSource) -> None:
    batches = Batches(source, store, 10, seed=7)
    assert batches.state_dict()["position"] == 0
    next(batches)
    next(batches)
    wait_for(lambda: batches.stats().read_s > 0)
    state = batches.state_dict()
    assert state == {"format": 1, "source": "d0", "seed": 7, "epoch": 0, "position": 20}
    assert json.loads(json.dumps(state)) == state
    assert state is not batches.state_dict()
    batches.close()


def test_breaking_out_of_a_loop_loses_nothing(store: Store, source: StoredSource) -> None:
    whole = ids(Batches(source, store, 10, seed=7))
    batches = Batches(source, store, 10, seed=7)
    first = [i for b in islice(batches, 4) for i in b.ids]
    assert first + ids(batches) == whole
    for _ in islice(batches, 11):  # exactly an epoch, without asking for its end
        pass
    assert batches.state_dict()["epoch"] == 2
    assert len(ids(batches)) == 101


def test_an_ended_iterator_stays_ended_until_iterated_anew(store: Store, source: StoredSource) -> None:
    batches = Batches(source, store, 101)
    assert [len(b) for b in batches] == [101]
    assert next(batches, None) is next(batches, None) is None
    assert [len(b) for b in batches] == [101]


def test_a_state_at_an_epochs_end_gives_the_next_whole_epoch(store: Store, source: StoredSource) -> None:
    batches = Batches(source, store, 10, seed=7)
    list(batches)
    state = batches.state_dict()
    assert (state["epoch"], state["position"]) == (1, 0)
    resumed = Batches(source, store, 3, seed=7)
    resumed.load_state_dict(state)
    assert ids(resumed) == ids(batches)
    resumed.load_state_dict({**state, "epoch": 0, "position": 101})
    assert resumed.state_dict()["epoch"] == 1


def test_ranks_that_end_early_agree_on_the_state(store: Store, source: StoredSource) -> None:
    ranks = [Batches(source, store, 10, seed=7, rank=r, world=3) for r in range(3)]
    assert [len(r) for r in ranks] == [4, 4, 3]
    for _ in range(3):
        assert len({json.dumps(r.state_dict()) for r in ranks}) == 1
        for rank in ranks:
            next(rank)
    sizes = [len(next(rank, ())) for rank in ranks]
    assert sizes == [10, 1, 0]
    assert len({json.dumps(r.state_dict()) for r in ranks}) == 1
    for rank in ranks:
        rank.close()


def test_a_state_of_another_view_names_both(store: Store, source: StoredSource) -> None:
    state = Batches(source, store, 10).state_dict()
    other = Batches(StoredSource(store, [b"x"], digest="d1"), store, 1)
    with pytest.raises(StateMismatch, match=r"(?s)d0.*d1"):
        other.load_state_dict(state)


def test_a_state_of_another_seed_is_refused_once_it_matters(store: Store, source: StoredSource) -> None:
    batches = Batches(source, store, 10, seed=1)
    other = Batches(source, store, 10, seed=2)
    other.load_state_dict(batches.state_dict())
    next(batches)
    with pytest.raises(StateMismatch, match="seed=1"):
        other.load_state_dict(batches.state_dict())
    assert other.state_dict()["position"] == 0
    batches.close()


@pytest.mark.parametrize(
    "damage",
    [
        {"position": -1},
        {"position": "1"},
        {"position": True},
        {"epoch": None},
        {"source": 1},
        {"seed": "x"},
        {"seed": 1 << 64},
        {"format": "1"},
        {"position": 102},
    ],
)
def test_damaged_states_are_refused(store: Store, source: StoredSource, damage: dict) -> None:
    batches = Batches(source, store, 10)
    with pytest.raises(InvalidInput):
        batches.load_state_dict({**batches.state_dict(), **damage})
    with pytest.raises(InvalidInput):
        batches.load_state_dict([1, 2])
    with pytest.raises(UnsupportedFormat):
        batches.load_state_dict({**batches.state_dict(), "format": 3})


@pytest.mark.parametrize("prefetch", MODES)
def test_a_bad_sample_raises_in_its_turn_and_names_itself(prefetch: int) -> None:
    store, source = rotting()
    order = ids(Batches(source, store, 10, seed=7))
    bad = next(i for i in order[20:30] if source.payloads[int(i[2:])])
    store.rot(source.stored[int(bad[2:])])
    batches = Batches(source, store, 10, seed=7, prefetch=prefetch, window=SMALL)
    assert next(batches).ids + next(batches).ids == order[:20]
    for _ in range(2):
        with pytest.raises(Corrupt, match=rf"sample {bad}: .*on_error='skip'"):
            next(batches)
        assert batches.state_dict()["position"] == 20


@pytest.mark.parametrize("prefetch", MODES)
def test_a_skipped_sample_consumes_its_position_and_is_listed(prefetch: int) -> None:
    store, source = rotting()
    order = ids(Batches(source, store, 10, seed=7))
    bad = [i for i in order if int(i[2:]) in (12, 60)]
    for name in bad:
        store.rot(source.stored[int(name[2:])])
    batches = Batches(source, store, 10, seed=7, prefetch=prefetch, on_error="skip", window=SMALL)
    got = list(batches)
    assert [i for b in got for i in b.ids] == [i for i in order if i not in bad]
    assert all(b.columns["label"].to_pylist() == [int(i[2:]) % 10 for i in b.ids] for b in got)
    assert [s.id for s in batches.skipped] == bad
    assert [s.position for s in batches.skipped] == [order.index(i) for i in bad]
    assert "no intact copy" in batches.skipped[0].reason
    assert batches.stats().skipped == 2


def test_a_batch_of_bad_samples_only_is_handed_out_empty() -> None:
    store = MemoryStore()
    source = StoredSource(store, [b"a", b"b", b"c"])
    store.rot(source.stored[1])
    got = list(Batches(source, store, 1, on_error="skip"))
    assert sorted(len(b) for b in got) == [0, 1, 1]


@pytest.mark.parametrize("prefetch", MODES)
def test_a_substitute_is_the_batchs_next_good_sample_and_both_are_listed(prefetch: int) -> None:
    store, source = rotting()
    order = ids(Batches(source, store, 10, seed=7))
    # The last sample of a batch is substituted by its first; one of two in a row by the one behind them.
    at = [i for i, name in enumerate(order) if int(name[2:]) % 7]  # those of other sizes than 0
    bad = [next(i for i in at if i % 10 == 9), next(i for i in at if i % 10 < 8 and i + 1 in at)]
    bad.append(bad[1] + 1)
    for i in bad:
        store.rot(source.stored[int(order[i][2:])])
    batches = Batches(source, store, 10, seed=7, prefetch=prefetch, on_error="substitute", window=SMALL)
    got = list(batches)
    expected = list(order)
    expected[bad[0]], expected[bad[1]], expected[bad[2]] = (
        order[bad[0] - 9],
        order[bad[2] + 1],
        order[bad[2] + 1],
    )
    assert [i for b in got for i in b.ids] == expected
    assert all(
        bytes(x) == source.payloads[int(i[2:])] for b in got for i, x in zip(b.ids, b.blobs, strict=True)
    )
    assert {s.position: (s.id, s.substitute) for s in batches.skipped} == {
        i: (order[i], expected[i]) for i in bad
    }


def test_padding_is_counted_also_where_samples_are_skipped() -> None:
    for on_error, sizes, padding in (("skip", [4, 8, 3], 1), ("substitute", [8, 8, 8], 5)):
        store = MemoryStore()
        source = StoredSource(store, [b"%d" % i for i in range(19)])
        for i in (0, 1, 2, 4, 16):  # 4 is the last of the padding: its substitute is none
            store.rot(source.stored[i])
        batches = Batches(source, store, 8, shuffle=False, remainder="pad", on_error=on_error)
        got = list(batches)
        assert [len(b) for b in got] == sizes
        assert got[-1].padding == padding
        assert [s.position for s in batches.skipped] == [0, 1, 2, 4, 16, 0, 1, 2, 4]


def test_an_error_of_the_source_reaches_the_trainer(store: Store) -> None:
    class Broken(SyntheticSource):
        def blobs(self, rows: np.ndarray) -> Blobs:
            raise Unavailable("the view's fragment is gone")

    batches = Batches(Broken(100), store, 10)
    start = time.monotonic()
    with pytest.raises(Unavailable, match="fragment is gone"):
        next(batches)
    assert time.monotonic() - start < 2


def test_a_dead_reading_thread_is_reported_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maruhub.loaders.prefetch._run", lambda items, channel: None)
    batches = Batches(SyntheticSource(100), BlankStore(), 10)
    start = time.monotonic()
    with pytest.raises(Unavailable, match="died"):
        next(batches)
    assert time.monotonic() - start < 5


def test_announces_ahead_of_reading_and_each_extent_once() -> None:
    store = BlankStore(size_bytes=10)
    window = Window(chunk_samples=512, piece_extents=128, pieces_ahead=3)
    list(Batches(SyntheticSource(1000), store, 100, prefetch=0, window=window))
    assert store.announced == store.read == 1000
    assert max(count for _, count in store.calls) == 128
    ahead = 0
    for what, count in store.calls[:-4]:
        ahead += count if what == "announce" else -count
        assert ahead >= 0
    # The first piece is read at once, for the first batch; then the window opens.
    assert "".join(what[0] for what, _ in store.calls) == "araaraarararararrr"


def test_reads_of_a_window_go_by_place() -> None:
    class Watching(BlankStore):
        def read_many(self, blobs: Blobs, *, verify: bool = True) -> list[memoryview]:
            places = list(zip(blobs.extents["segment"], blobs.extents["offset"], strict=True))
            assert places == sorted(places)
            return super().read_many(blobs, verify=verify)

    list(Batches(SyntheticSource(200_000), Watching(), 2000, epochs=1, window=Window(chunk_samples=50_000)))


def test_what_waits_ready_is_bounded_by_bytes() -> None:
    store = BlankStore(size_bytes=1000)
    batches = Batches(
        SyntheticSource(100_000), store, 10, prefetch=50_000, window=Window(piece_extents=10, pieces_ahead=1)
    )
    next(batches)
    wait_for(lambda: store.read >= 60)
    time.sleep(0.1)
    # One out, five waiting, one in the thread's hand.
    assert store.read == 70
    batches.close()


def test_no_more_than_one_batch_waits_when_a_batch_exceeds_the_bound() -> None:
    store = BlankStore(size_bytes=1000)
    batches = Batches(SyntheticSource(1000), store, 50, prefetch=1, window=Window(chunk_samples=50))
    assert [len(b) for b in batches] == [50] * 20


def test_a_forgotten_loader_ends_its_thread() -> None:
    batches = Batches(SyntheticSource(100_000), BlankStore(size_bytes=1000), 10, prefetch=10_000)
    next(batches)
    assert _reading_threads()
    del batches
    gc.collect()
    wait_for(lambda: not _reading_threads())


def test_multi_extent_and_empty_blobs_come_whole(store: Store) -> None:
    payloads = [b"", b"a" * (3 << 20), b"b", b"", b"c" * ((1 << 20) + 1)]
    source = StoredSource(store, payloads)
    got = {int(b.positions[0]): bytes(b.blobs[0]) for b in Batches(source, store, 1)}
    assert got == dict(enumerate(payloads))


def test_a_recorder_hears_of_each_step_before_it_is_handed_out(store: Store, source: StoredSource) -> None:
    heard: list[tuple] = []

    class Recorder:
        def reads(self, view_digest: str, epoch: int, seed: int | None, start: int, stop: int) -> None:
            heard.append((view_digest, epoch, seed, start, stop))

    batches = Batches(source, store, 20, seed=4, rank=1, world=2, recorder=Recorder())
    handed = 0
    for _ in batches:
        handed += 1
        assert len(heard) == handed
    assert heard == [("d0", 0, 4, 0, 40), ("d0", 0, 4, 40, 80), ("d0", 0, 4, 80, 101)][:handed]


def test_a_failing_recorder_holds_the_batch_back(store: Store, source: StoredSource) -> None:
    class Failing:
        def reads(self, *args: object) -> None:
            raise Unavailable("the hub is full")

    batches = Batches(source, store, 20, recorder=Failing())
    with pytest.raises(Unavailable, match="full"):
        next(batches)
    assert batches.state_dict()["position"] == 0


def test_stats_say_where_the_time_goes() -> None:
    class Slow(BlankStore):
        def read_many(self, blobs: Blobs, *, verify: bool = True) -> list[memoryview]:
            time.sleep(0.02)
            return super().read_many(blobs, verify=verify)

        def announce(self, extents: ExtentArray) -> None:
            time.sleep(0.002)

    batches = Batches(SyntheticSource(500), Slow(size_bytes=100), 50, window=Window(piece_extents=50))
    list(batches)
    stats = batches.stats()
    assert (stats.batches, stats.samples, stats.bytes) == (10, 500, 50_000)
    assert stats.read_s >= 0.2
    assert stats.announce_s >= 0.02
    assert stats.trainer_waited_s >= 0.1
    assert 0 < stats.samples_per_s < 3000
    assert "trainer waited" in str(stats)
    assert (stats.bottleneck, stats.stages["read"]) == ("read", stats.read_s)
    assert "input waits" in stats.line()
    assert "slowest: read" in stats.line()


def test_stats_tell_checking_from_reading(store: Store, source: StoredSource) -> None:
    def spent(verify: bool) -> tuple[float, float]:
        batches = Batches(source, store, 10, verify=verify, prefetch=0)
        list(batches)
        return batches.stats().read_s, batches.stats().verify_s

    assert spent(verify=False)[1] == 0
    read_s, verify_s = spent(verify=True)
    assert read_s > 0
    assert (verify_s > 0) == (type(store).__name__ == "PoolStore")  # the model has nothing to tell apart


def test_live_figures_are_those_since_the_last_look() -> None:
    batches = Batches(SyntheticSource(500), BlankStore(size_bytes=100), 50, decode=bytes, decode_threads=2)
    empty = batches.stats()
    assert empty.line().startswith("0 samples/s")
    first = [next(batches) for _ in range(4)]
    before = batches.stats()
    list(batches)
    later = batches.stats().since(before)
    assert (len(first), before.samples, later.samples, later.batches) == (4, 200, 300, 6)
    assert later.elapsed_s < batches.stats().elapsed_s
    assert later.decode_threads == 2


def test_an_empty_view_has_empty_epochs(store: Store) -> None:
    batches = Batches(StoredSource(store, []), store, 10)
    assert list(batches) == list(batches) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"rank": 1},
        {"seed": -1},
        {"epochs": 0},
        {"prefetch": -1},
        {"on_error": "ignore"},
    ],
)
def test_refuses_wrong_settings(store: Store, source: StoredSource, wrong: dict) -> None:
    settings = {"batch_size": 8, **wrong}
    with pytest.raises(InvalidInput):
        Batches(source, store, settings.pop("batch_size"), **settings)


def rotting() -> tuple[MemoryStore, StoredSource]:
    """A store whose blobs can be damaged (the pool heals what it can, the model doesn't)."""
    store = MemoryStore()
    return store, StoredSource(store, PAYLOADS)


def ids(batches: Iterator[Batch]) -> list[str]:
    return [i for batch in batches for i in batch.ids]


def wait_for(condition: object, timeout_s: float = 5) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_an_epoch_that_broke_off_is_held_no_longer_than_it_takes_to_say_so(store: Store) -> None:
    # Its samples are mapped files: as long as they are held no drive can be unmounted.
    def spoilt(_: memoryview) -> None:
        raise InvalidData("spoilt")

    batches = Batches(StoredSource(store, PAYLOADS), store, 8, transform=spoilt)
    gone = weakref.ref(batches)
    gc.disable()
    try:
        with pytest.raises(InvalidData) as broken:
            next(batches)
        del broken, batches
        assert gone() is None
    finally:
        gc.enable()
