"""Streams, learners and bags go on where another framework stopped, and share what ranks share."""

from __future__ import annotations

import itertools
from typing import Any

import dask
import numpy as np
from datasets.distributed import split_dataset_by_node

from maruhub.adapters.dask import to_bag, to_dataframe
from maruhub.adapters.epoch import Epoch
from maruhub.adapters.huggingface import to_dataset, to_iterable
from maruhub.adapters.sklearn import partial_fit
from maruhub.api.hub import Hub
from maruhub.loaders import Batch
from tests.frameworks.elastic import SEED, WORLDS, Share, check_leg, check_worlds, in_order
from tests.frameworks.samples import number_of
from tests.frameworks.tables.test_huggingface import numbered

Got = tuple[list[list[int]], dict[str, Any]]


class Stop(Exception):
    """Training ends in the middle."""


class Learner:
    """Remembers what it was taught."""

    def __init__(self) -> None:
        self.got: list[list[int]] = []

    def partial_fit(self, x: Any) -> None:
        self.got.append(x)


def by_sklearn(view: Any, share: Share) -> Got:
    batches = view.batches(share.batch_size, seed=SEED, rank=share.rank, world=share.world)
    batches.load_state_dict(share.state)

    def stop(learner: Learner, batch: Batch) -> None:
        if len(learner.got) == share.steps:
            raise Stop

    learner = Learner()
    try:
        partial_fit(learner, batches, lambda batch: [*map(number_of, batch.blobs)], after_batch=stop)
    except Stop:
        pass
    return learner.got, batches.state_dict()


def by_huggingface(view: Any, share: Share) -> Got:
    """A stream tells no place of the hub's; whoever counts its samples knows it."""
    stream = to_iterable(view, numbered, state=share.state, seed=SEED, shard_samples=32)
    got = [row["number"] for row in itertools.islice(stream, share.steps)]
    return [got], Epoch(view, state=share.state, seed=SEED).state_at(share.state["position"] + len(got))


def by_dask(view: Any, share: Share) -> Got:
    bag = to_bag(view, state=share.state, shuffle=True, seed=SEED, partition_samples=10)
    with dask.config.set(scheduler="synchronous"):
        got = bag.map(lambda sample: number_of(sample.data)).compute()
    return [got], Epoch(view, state=share.state, seed=SEED).state_at(share.state["position"] + len(got))


def test_scikit_learn_in_every_world(hub: Hub) -> None:
    check_worlds(hub.version("digits"), by_sklearn, stops=4)


def test_all_go_on_where_other_frameworks_stopped(hub: Hub) -> None:
    check_leg(hub.version("digits"), "huggingface", by_huggingface)
    check_leg(hub.version("digits"), "sklearn", by_sklearn)
    check_leg(hub.version("digits"), "dask", by_dask)


def test_nodes_of_any_world_share_what_is_left(hub: Hub) -> None:
    view = hub.version("digits")
    whole = in_order(view)
    for world in WORLDS:
        for position in (0, 37, 150):
            state = Epoch(view, seed=SEED).state_at(position)
            stream = to_iterable(view, numbered, state=state, seed=SEED, shard_samples=5)
            shares = [
                [row["number"] for row in split_dataset_by_node(stream, r, world)] for r in range(world)
            ]
            assert sorted(itertools.chain(*shares)) == sorted(whole[position:]), (world, position)


def test_a_mix(hub: Hub) -> None:
    view = hub.version("digits")
    mix = hub.mix([view.where("label < 3"), view.where("label >= 3")], [1, 1])
    whole = [number_of(blob) for batch in mix.batches(16, seed=SEED) for blob in batch.blobs]
    assert [row["number"] for row in to_iterable(mix, numbered, seed=SEED)] == whole
    rows = np.concatenate([batch.positions for batch in mix.batches(16, seed=SEED)])
    assert to_dataset(mix, numbered)[rows]["number"] == whole
    with dask.config.set(scheduler="synchronous"):
        bag = to_bag(mix, seed=SEED)
        assert bag.map(lambda sample: number_of(sample.data)).compute() == whole
        frame = to_dataframe(mix, partition_samples=64).compute()
    assert set(map(number_of, frame["bytes"])) <= set(range(len(view)))
    assert len(frame) == len(whole)
