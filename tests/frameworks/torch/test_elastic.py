"""Any world goes on with what another began, through each of torch's ways to read."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import pytest
from torch.utils.data import DataLoader

from maruhub.adapters.torch import Loader, Order, Samples, Stream
from maruhub.api.hub import Hub
from tests.frameworks.elastic import SEED, Share, check_leg, check_worlds
from tests.frameworks.samples import number_of
from tests.frameworks.torch.test_loader import numbers

Got = tuple[list[list[int]], dict[str, Any]]


def by_loader(view: Any, share: Share, *, workers: int = 0) -> Got:
    loader = Loader(
        view,
        share.batch_size,
        collate=numbers,
        seed=SEED,
        rank=share.rank,
        world=share.world,
        num_workers=workers,
    )
    loader.load_state_dict(share.state)
    return list(itertools.islice(loader, share.steps)), loader.state_dict()


def by_order(view: Any, share: Share) -> Got:
    order = Order(view, share.batch_size, seed=SEED, rank=share.rank, world=share.world)
    order.load_state_dict(share.state)
    samples = Samples(view, lambda sample: number_of(sample.data))
    loader = DataLoader(samples, batch_sampler=order, collate_fn=list)
    return list(itertools.islice(loader, share.steps)), order.state_dict()


def by_stream(view: Any, share: Share) -> Got:
    stream = Stream(view, share.batch_size, collate=numbers, seed=SEED, rank=share.rank, world=share.world)
    stream.load_state_dict(share.state)
    return list(itertools.islice(stream, share.steps)), stream.state_dict()


@pytest.mark.parametrize("read", [by_loader, by_order, by_stream])
def test_every_world_goes_on_with_what_another_began(hub: Hub, read: Any) -> None:
    check_worlds(hub.version("digits"), read, stops=4)


@pytest.mark.parametrize("read", [by_loader, functools.partial(by_loader, workers=2), by_order, by_stream])
def test_it_is_a_leg_of_the_chain(hub: Hub, read: Any) -> None:
    check_leg(hub.version("digits"), "torch", read)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_mix(hub: Hub, workers: int) -> None:
    view = hub.version("digits")
    mix = hub.mix([view.where("label < 3"), view.where("label >= 3")], [1, 1])
    whole = [numbers(batch) for batch in mix.batches(16, seed=SEED)]
    assert list(Loader(mix, 16, collate=numbers, num_workers=workers, seed=SEED)) == whole


def test_newer_samples_join_what_this_process_reads(hub: Hub) -> None:
    view = hub.version("digits")
    older = view.where("label < 8")
    loader = Loader(older, 16, collate=numbers, seed=SEED)
    begun = list(itertools.islice(loader, 3))
    loader.batches.join(view, new=1, old=3)
    state = loader.state_dict()
    rest = list(loader)
    assert [n >= 8 for n in (n % 10 for n in rest[0])].count(True) == 4
    assert sorted(n for batch in begun + rest for n in batch) == list(range(len(view)))
    again = Loader(older, 16, collate=numbers, seed=SEED)
    again.load_state_dict(state)
    assert list(again) == rest
    workers = Loader(older, 16, collate=numbers, seed=SEED, num_workers=1)
    workers.load_state_dict(state)
    with pytest.raises(Exception, match="joined"):
        list(workers)
