"""The loader for PyTorch, in and beside torch's own machinery."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
import time
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from maruhub.adapters.samples import Sample
from maruhub.adapters.torch import Loader, Order, Samples, Stream, as_tensors
from maruhub.api.hub import Hub
from maruhub.errors import Corrupt, InvalidInput, StateMismatch
from maruhub.loaders import Batch
from tests.frameworks.samples import SAMPLES, number_of, pixels, run_guide

WORKER_DIED = r"DataLoader worker .*(exited unexpectedly|killed by signal)"
"""torch has two words for it: what its wait for a batch says, or its handler of SIGCHLD if that comes first."""


def numbers(batch: Batch) -> list[int]:
    """A decoder: which samples these are, from their bytes; their labels must fit."""
    found = [number_of(blob) for blob in batch.blobs]
    assert batch.columns["label"].to_pylist() == [number % 10 for number in found]
    return found


@pytest.fixture
def view(hub: Hub) -> Any:
    return hub.version("digits")


def flat(batches: Any) -> list[int]:
    return list(itertools.chain.from_iterable(batches))


def plain(view: Any, batch_size: int = 16, **options: Any) -> list[list[int]]:
    return [numbers(batch) for batch in view.batches(batch_size, seed=7, **options)]


def saved(loader: Any) -> Any:
    return json.loads(json.dumps(loader.state_dict()))


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_are_those_of_the_hub_with_any_number_of_workers(view: Any, workers: int) -> None:
    loader = Loader(view, 16, collate=numbers, num_workers=workers, seed=7)
    batches = view.batches(16, seed=7)
    assert len(loader) == 13
    for _ in range(2):
        assert list(loader) == [numbers(batch) for batch in batches]
        assert saved(loader) == saved(batches)
    assert loader.batches.stats().samples == 2 * SAMPLES


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 2), (2, 0), (2, 3), (3, 1)])
def test_it_goes_on_exactly_under_another_number_of_workers(view: Any, before: int, after: int) -> None:
    whole = flat(plain(view)) + flat(plain(view, epochs=2))[SAMPLES:]
    for stop in (1, 12, 13, 15):
        loader = Loader(view, 16, collate=numbers, num_workers=before, seed=7, epochs=2)
        begun = flat(itertools.islice(loader, stop))
        assert saved(loader)["position"] == len(begun) % SAMPLES, "what workers fetched does not count"
        again = Loader(view, 11, collate=numbers, num_workers=after, seed=7, epochs=2)
        again.load_state_dict(saved(loader))
        rest = flat(again)
        assert (begun + rest)[: 2 * SAMPLES] == whole


def test_leaving_a_loop_and_coming_back_loses_nothing(view: Any) -> None:
    for options in ({}, {"num_workers": 2}, {"num_workers": 2, "persistent_workers": True}):
        loader = Loader(view, 16, collate=numbers, seed=7, **options)
        begun = flat(itertools.islice(iter(loader), 4))
        assert begun + flat(loader) == flat(plain(view)), options


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("world", [1, 2, 3, 5, 8])
def test_every_sample_comes_once_over_any_world(view: Any, world: int, workers: int) -> None:
    if workers and world not in (2, 5):
        return
    first = [Loader(view, 4, collate=numbers, seed=7, rank=r, world=3) for r in range(3)]
    begun = [each for loader in first for each in flat(itertools.islice(loader, 3))]
    state = saved(first[0])
    assert all(saved(loader) == state for loader in first)
    ranks = [
        Loader(view, 8, collate=numbers, seed=7, rank=r, world=world, num_workers=workers)
        for r in range(world)
    ]
    for loader in ranks:
        loader.load_state_dict(state)
    steps = list(itertools.zip_longest(*ranks, fillvalue=[]))
    assert sorted(begun) == sorted(flat(plain(view))[:36])
    assert [each for step in steps for share in step for each in share] == flat(plain(view))[36:]
    assert all(saved(loader) == saved(ranks[0]) for loader in ranks)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_may_be_started_in_any_way(view: Any, method: str) -> None:
    loader = Loader(view, 16, collate=numbers, num_workers=2, seed=7, multiprocessing_context=method)
    assert list(loader) == plain(view)
    assert [numbers_of(batch) for batch in tensors(view, multiprocessing_context=method)] == plain(view)


def test_tensors_are_what_comes_by_default(view: Any) -> None:
    for workers in (0, 2):
        loader = Loader(view, 16, num_workers=workers, seed=7)
        batch = next(iter(loader))
        cut = np.split(batch["data"].numpy(), batch["offsets"][1:-1])
        assert [part.tobytes() for part in cut] == [pixels(number_of(part)) for part in cut]
        assert batch["label"].dtype == torch.int64
        assert batch["label"].tolist() == [number_of(part) % 10 for part in cut]
        assert batch["weight"].dtype == torch.float64
        assert batch["ids"] == [f"digits-raw/{number_of(part):06}" for part in cut]


def tensors(view: Any, **options: Any) -> Loader:
    """As most people have it: nothing is decoded, and torch's workers read."""
    return Loader(view, 16, num_workers=2, seed=7, **options)


def numbers_of(batch: dict[str, Any]) -> list[int]:
    """Which samples these are, from their bytes; all else must fit."""
    cut = np.split(batch["data"].numpy(), batch["offsets"][1:-1])
    found = [number_of(part) for part in cut]
    assert [part.tobytes() for part in cut] == [pixels(number) for number in found]
    assert batch["ids"] == [f"digits-raw/{number:06}" for number in found]
    assert batch["label"].tolist() == [number % 10 for number in found]
    return found


def test_what_workers_found_goes_on_exactly_at_any_batch(view: Any) -> None:
    for stop in (1, 9, 13, 14):
        loader = tensors(view, epochs=2)
        begun = [numbers_of(batch) for batch in itertools.islice(loader, stop)]
        again = Loader(view, 11, seed=7, epochs=2, collate=numbers)
        again.load_state_dict(saved(loader))
        assert (flat(begun) + flat(again))[: 2 * SAMPLES] == flat(plain(view, epochs=2))
    loader = tensors(view, persistent_workers=True)
    begun = [numbers_of(batch) for batch in itertools.islice(loader, 6)]
    assert begun + [numbers_of(batch) for batch in loader] == plain(view)
    assert loader.batches.stats().samples == SAMPLES


def test_a_killed_worker_is_reported_and_leaves_nothing_in_shared_memory(view: Any) -> None:
    before = set(os.listdir("/dev/shm"))
    loader = tensors(view)
    batches = iter(loader)
    begun = numbers_of(next(batches))
    # Whatever is sent from now on waits for this one.
    for pid in worker_pids():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match=WORKER_DIED):
        begun.extend(itertools.chain.from_iterable(map(numbers_of, batches)))
    del batches
    assert set(os.listdir("/dev/shm")) <= before
    again = Loader(view, 16, collate=numbers, seed=7)
    again.load_state_dict(saved(loader))
    position = saved(loader)["position"]
    # torch may raise in its handler of SIGCHLD, wherever this thread is: also with a batch just handed over.
    assert position - len(begun) in (0, 16)
    assert begun + flat(plain(view))[len(begun) : position] + flat(again) == flat(plain(view))


def worker_pids() -> list[int]:
    return [each.pid for each in multiprocessing.active_children() if each.pid is not None]


def as_picture(data: memoryview) -> Any:
    return np.frombuffer(data[:64], dtype=np.uint8).reshape(8, 8)


def test_values_that_the_hub_decoded_are_one_tensor(view: Any) -> None:
    for workers in (0, 1):
        batch = next(iter(Loader(view, 16, num_workers=workers, seed=7, decode=as_picture)))
        assert batch["values"].shape == (16, 8, 8)
        first = int(batch["ids"][0].rpartition("/")[2])
        assert batch["values"][0].numpy().tobytes() == pixels(first)[:64]


def test_texts_and_missing_numbers_are_lists(hub: Hub) -> None:
    hub.bucket("odd-raw").put_many({"1": b"", "2": b"xy"})
    dataset = hub.dataset("odd")
    ids = dataset.commit("odd-raw").ids()
    view = dataset.label(pa.table({"id": ids, "name": ["a", None], "n": [None, 2]})).version
    batch = as_tensors(next(iter(view.batches(2, shuffle=False))))
    assert (batch["name"], batch["n"], batch["offsets"].tolist()) == (["a", None], [None, 2], [0, 0, 2])


def kill(batch: Batch) -> None:
    if batch.step == 2:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_dead_worker_is_reported_and_its_batch_is_not_lost(view: Any) -> None:
    loader = Loader(view, 16, collate=kill, num_workers=2, seed=7)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=WORKER_DIED):
        list(loader)
    assert time.monotonic() - start < 60
    again = Loader(view, 16, collate=numbers, seed=7)
    again.load_state_dict(saved(loader))
    position = saved(loader)["position"]
    assert position <= 32
    assert flat(again) == flat(plain(view))[position:]


def keep_views(batch: Batch) -> Any:
    return {"images": batch.blobs}


def test_views_that_would_be_lost_on_the_way_are_refused(view: Any) -> None:
    assert len(next(iter(Loader(view, 16, collate=keep_views)))["images"]) == 16
    with pytest.raises(InvalidInput, match="can't leave a worker"):
        next(iter(Loader(view, 16, collate=keep_views, num_workers=1)))


def test_what_the_hub_decides_is_not_torch_s(view: Any) -> None:
    for option in ({"sampler": None}, {"collate_fn": list}, {"in_order": False}, {"drop_last": True}):
        with pytest.raises(InvalidInput, match=next(iter(option))):
            Loader(view, 16, **option)
    with pytest.raises(StateMismatch):
        Loader(view.split("train"), 16).load_state_dict(Loader(view, 16).state_dict())
    with pytest.raises(InvalidInput, match="rank"):
        Loader(view, 16, world=3)


def test_the_world_is_found_and_half_of_it_refused(view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(InvalidInput, match="WORLD_SIZE"):
        Loader(view, 16)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert list(Loader(view, 16, collate=numbers, seed=7)) == plain(view, rank=1, world=2)
    monkeypatch.setenv("RANK", "one")
    with pytest.raises(InvalidInput, match="RANK"):
        Order(view, 16)


def test_a_sample_that_can_t_be_read_is_passed_over_and_listed(hub: Hub, view: Any) -> None:
    reading = type(view.home)
    bad = view.blobs(np.array([5], dtype=np.uint64)).extents["offset"][0]
    read_many = reading.read_many

    def rotten(self: Any, blobs: Any, **options: Any) -> Any:
        found = read_many(self, blobs, **options)
        where = blobs.extents["offset"]
        return [Corrupt("rot") if where[i] == bad else each for i, each in enumerate(found)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "read_many", rotten)
        with pytest.raises(Exception, match="digits-raw/000005"):
            list(Loader(view, 16, collate=numbers, num_workers=2, seed=7))
        loader = Loader(view, 16, collate=numbers, num_workers=2, seed=7, on_error="skip")
        assert sorted(flat(loader)) == sorted({*range(SAMPLES)} - {5})
        with pytest.raises(Corrupt, match="digits-raw/000005"):
            list(tensors(view))
        found = tensors(view, on_error="skip")
        assert sorted(flat(map(numbers_of, found))) == sorted({*range(SAMPLES)} - {5})
    assert [each.id for each in loader.skipped] == ["digits-raw/000005"]
    assert [each.id for each in found.skipped] == ["digits-raw/000005"]


# ------------------------------------------------------------ the parts in torch's own loaders


def number_and_label(sample: Sample) -> tuple[int, int]:
    return number_of(sample.data), sample.columns["label"]


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_by_number_in_a_plain_data_loader(view: Any, workers: int) -> None:
    dataset = Samples(view, number_and_label)
    assert (len(dataset), dataset[3]) == (SAMPLES, (3, 3))
    loader = DataLoader(dataset, batch_size=16, shuffle=True, num_workers=workers)
    pairs = [
        (n, label) for ns, labels in loader for n, label in zip(ns.tolist(), labels.tolist(), strict=True)
    ]
    assert sorted(pairs) == [(n, n % 10) for n in range(SAMPLES)]
    batch = next(iter(DataLoader(Samples(view), batch_size=4, num_workers=workers)))
    assert [number_of(data) for data in batch.data] == [0, 1, 2, 3]
    assert batch.columns["label"].tolist() == [0, 1, 2, 3]


def test_a_batch_is_one_read(view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read_many = type(view).read_many
    monkeypatch.setattr(
        type(view), "read_many", lambda s, rows: asked.append(len(rows)) or read_many(s, rows)
    )
    list(DataLoader(torch.utils.data.Subset(Samples(view), range(40)), batch_size=16))
    assert asked == [16, 16, 8]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("every", [1, 3])
def test_torchdata_s_loader_goes_on_exactly(view: Any, workers: int, every: int) -> None:
    def make() -> StatefulDataLoader:
        return StatefulDataLoader(
            Samples(view, number_and_label),
            batch_sampler=Order(view, 16, seed=7),
            num_workers=workers,
            snapshot_every_n_steps=every,
        )

    def seen(batches: Any) -> list[int]:
        return [n for ns, _ in batches for n in ns.tolist()]

    assert seen(make()) == flat(plain(view))
    for stop in (1, 5, 12):
        loader = make()
        begun = seen(itertools.islice(loader, stop))
        again = make()
        again.load_state_dict(loader.state_dict())
        assert begun + seen(again) == flat(plain(view))


def test_streams_share_an_epoch_between_workers(view: Any) -> None:
    for workers in (0, 2, 3):
        stream = Stream(view, 16, collate=numbers, seed=7)
        loader = DataLoader(stream, batch_size=None, num_workers=workers, collate_fn=list)
        assert sorted(flat(loader)) == list(range(SAMPLES))
    stream = Stream(view, 16, collate=numbers, seed=7)
    begun = flat(itertools.islice(stream, 3))
    again = Stream(view, 16, collate=numbers, seed=7)
    again.load_state_dict(saved(stream))
    assert begun + flat(again) == flat(plain(view))


def test_the_guide(hub: Hub) -> None:
    run_guide("torch.md")
