"""Batches, views and hubs that multiprocessing hands to other processes, however it starts them."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import pickle
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import maruhub
from maruhub import errors
from maruhub.api import door
from maruhub.catalog import View
from maruhub.loaders import Batches
from tests.unit.loaders.sources import BlankStore, SyntheticSource

WORLD = 3
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

Read = tuple[int, list[str], int, dict[str, object]]


def read_epoch(batches: Batches) -> Read:
    """Which process it was, the ids it got, the bytes, and where it is then."""
    ids, size_bytes = [], 0
    for batch in batches:
        ids += batch.ids
        for name, blob in zip(batch.ids, batch.blobs, strict=True):
            number = int(name.removeprefix("photos/"))
            assert bytes(blob) == bytes([number % 251]) * (number + 1)
            size_bytes += len(blob)
    return os.getpid(), ids, size_bytes, batches.state_dict()


def ids_of(view: View) -> tuple[int, list[str], str]:
    return os.getpid(), view.ids(), view.digest


def put_one(hub: maruhub.Hub) -> str:
    hub.bucket("photos")["new"] = b"from afar"
    return hub.bucket("photos").history("new")[-1].actor


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[maruhub.Hub]:
    monkeypatch.chdir(tmp_path)
    with maruhub.create("pool", blades=2, actor="me@here") as made:
        made.bucket("photos").put_many({f"{i}": bytes([i % 251]) * (i + 1) for i in range(500)})
        made.dataset("pets").commit("photos")
        monkeypatch.chdir("/")  # a relative path must mean the same hub in the other process
        yield made


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_each_sample_once_over_three_ranks_in_processes_of_their_own(hub: maruhub.Hub, method: str) -> None:
    train = hub.version("pets").split("train", (0.8, 0.1, 0.1)).where("size > 3")
    first = train.batches(16, seed=7)
    seen = [name for _ in range(4) for name in next(first).ids]
    ranks = [train.batches(5, seed=7, rank=rank, world=WORLD) for rank in range(WORLD)]
    for rank in ranks:
        rank.load_state_dict(first.state_dict())
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(WORLD, mp_context=context) as pool:
        done = list(pool.map(read_epoch, ranks))
    assert os.getpid() not in {pid for pid, *_ in done}
    assert Counter(seen + [name for _, ids, *_ in done for name in ids]) == Counter(train.ids())
    assert all(state["epoch"] == 1 for *_, state in done)
    assert [ids for _, ids, *_ in done] == [read_epoch(rank)[1] for rank in ranks]
    assert next(first).ids  # the ones here have not moved


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_process_is_given_its_batches_as_an_argument(hub: maruhub.Hub, method: str) -> None:
    """As ``Process(target=…, args=(batches,))``: under fork nothing is pickled at all."""
    batches = hub.version("pets").batches(64, seed=1)
    next(batches)
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    child = context.Process(target=put_epoch, args=(batches, queue))
    child.start()
    pid, ids, _, state = queue.get()
    child.join(30)
    assert (child.exitcode, pid, state["epoch"]) == (0, child.pid, 1)
    assert ids == read_epoch(batches)[1]


def put_epoch(batches: Batches, queue: multiprocessing.SimpleQueue[Read]) -> None:
    queue.put(read_epoch(batches))


def test_views_versions_and_hubs_open_themselves_anew(hub: maruhub.Hub) -> None:
    version = hub.version("pets")
    view = version.sample(50, seed=1).sort("size", descending=True)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(ids_of, view).result()[1:] == (view.ids(), view.digest)
        assert pool.submit(ids_of, version).result()[1:] == (version.ids(), version.digest)
        assert pool.submit(put_one, hub).result() == "me@here"
    assert hub.bucket("photos")["new"] == b"from afar"


def test_a_relative_path_keeps_meaning_the_same_hub(
    hub: maruhub.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(hub.path.parent)
    with maruhub.connect("pool") as again:
        monkeypatch.chdir("/")
        assert len(read_epoch(again.version("pets").batches(64))[1]) == 500


def test_what_arrives_often_is_one_hub_while_it_is_held(hub: maruhub.Hub) -> None:
    raw = pickle.dumps(hub.version("pets"))
    held, again = pickle.loads(raw), pickle.loads(raw)
    assert held.home.loader.__self__ is again.home.loader.__self__
    arrived = again.home.loader.__self__
    arrived.close()
    fresh = pickle.loads(raw)
    assert fresh.home.loader.__self__ is not arrived
    assert fresh.read_many([0]) == hub.version("pets").read_many([0])


def test_what_goes_over_is_small(hub: maruhub.Hub) -> None:
    batches = hub.version("pets").batches(8, seed=1)
    next(batches)
    assert len(pickle.dumps(batches)) < 2_000
    half = hub.version("pets").sample(250)
    assert len(pickle.dumps(half.batches(8))) < 2_000 + 8 * len(half)


def test_a_saved_view_goes_over_as_its_digest_and_is_mapped_there(hub: maruhub.Hub) -> None:
    half = hub.version("pets").split("train").sample(250)
    ids, digest = half.ids(), half.digest
    half.save()
    assert (half.ids(), half.digest, half.is_split) == (ids, digest, "train")
    raw = pickle.dumps(half.batches(8))
    assert len(raw) < 2_000
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        there, found, other = pool.submit(ids_of, half).result()
    assert (found, other) == (ids, digest)
    assert there != os.getpid()
    for view in (half, hub.view(digest), pickle.loads(pickle.dumps(half))):
        assert isinstance(memoryview(view.positions.base).obj, mmap.mmap)  # type: ignore[union-attr]
        assert len(view.mapped) == 250  # type: ignore[arg-type]
        assert view.is_split == "train"
    everything = hub.version("pets").select(range(500)).save()
    assert pickle.loads(pickle.dumps(everything)).ids() == hub.version("pets").ids()


def private_mib(batches: Batches) -> float:
    """What this process holds alone after some batches, and the kernel couldn't read again."""
    for _ in range(30):
        next(batches)
    batches.close()
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) / 1024


def test_a_worker_holds_no_list_of_a_saved_views_samples(hub: maruhub.Hub) -> None:
    def held(samples: int) -> float:
        view = hub.version("pets").select(np.arange(samples) % 500).save()
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            return pool.submit(private_mib, view.batches(16, seed=1, prefetch=1)).result()

    # A list of them would be 64 MB more.
    assert held(8_000_000) < held(1_000) + 24


def test_what_another_process_reads_is_recorded(hub: maruhub.Hub) -> None:
    train = hub.version("pets").split("train")
    with hub.run(train, name="far") as run:
        batches = train.batches(16, run=run)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            assert len(pool.submit(read_epoch, batches).result()[1]) == len(train)
    assert hub.evaluate(run, hub.version("pets").split("test"), {"a": 1}).held_out
    with pytest.raises(errors.NotHeldOut):
        hub.evaluate(run, train, {"a": 1})


def test_what_cannot_go_over_says_what_to_do(hub: maruhub.Hub) -> None:
    class Silent:
        def reads(self, *_: object) -> None: ...

    version = hub.version("pets")
    for one in (
        Batches(SyntheticSource(10), BlankStore(), 2),
        version.batches(2, recorder=Silent()),
        hub.bucket("photos"),
    ):
        with pytest.raises(errors.InvalidInput, match="another process") as told:
            pickle.dumps(one)
        assert "hub" in told.value.hint
    sent = pickle.dumps(version.batches(2))
    hub.dataset("pets").drop("v1")
    with pytest.raises(errors.NoSuchVersion, match="was dropped"):
        pickle.loads(sent)


def test_a_hub_arrives_in_a_child_that_was_forked_while_another_one_did(hub: maruhub.Hub) -> None:
    data = pickle.dumps(hub)
    with door._arriving:
        child = os.fork()
        if not child:
            signal.alarm(20)
            os._exit(0 if pickle.loads(data).bucket("photos")["7"] else 1)
    assert os.waitpid(child, 0)[1] == 0
