"""Any world goes on with what another began, through Grain and through JAX."""

from __future__ import annotations

import itertools
import json
from typing import Any

import grain

from maruhub.adapters.grain import BatchSource
from maruhub.adapters.jax import DeviceBatches
from maruhub.api.hub import Hub
from tests.frameworks.elastic import SEED, Share, check_leg, check_worlds
from tests.frameworks.jax.test_jax import numbered

Got = tuple[list[list[int]], dict[str, Any]]


def by_grain(view: Any, share: Share) -> Got:
    source = BatchSource(
        view,
        share.batch_size,
        collate=numbered,
        seed=SEED,
        rank=share.rank,
        world=share.world,
        state=share.state,
    )
    batches = iter(grain.MapDataset.source(source).to_iter_dataset()) if len(source) else iter(())
    got = [batch["number"].tolist() for batch in itertools.islice(batches, share.steps)]
    return got, source.state_after(batches.get_state()["next_index"]) if len(source) else source.end()


def by_jax(view: Any, share: Share) -> Got:
    batches = DeviceBatches(
        view.batches(share.batch_size, seed=SEED, rank=share.rank, world=share.world), numbered
    )
    batches.load_state_dict(share.state)
    got = [batch["number"].tolist() for batch in itertools.islice(batches, share.steps)]
    return got, batches.state_dict()


def test_grain_in_every_world(hub: Hub) -> None:
    check_worlds(hub.version("digits"), by_grain, stops=4)


def test_jax_in_every_world(hub: Hub) -> None:
    check_worlds(hub.version("digits"), by_jax, stops=4)


def test_both_go_on_where_other_frameworks_stopped(hub: Hub) -> None:
    check_leg(hub.version("digits"), "grain", by_grain)
    check_leg(hub.version("digits"), "jax", by_jax)


def test_a_mix(hub: Hub) -> None:
    view = hub.version("digits")
    mix = hub.mix([view.where("label < 3"), view.where("label >= 3")], [1, 1])
    whole = [batch.ids for batch in mix.batches(16, seed=SEED)]
    assert [batch["ids"] for batch in grain.MapDataset.source(BatchSource(mix, 16, seed=SEED))] == whole
    assert [batch["ids"] for batch in DeviceBatches(mix.batches(16, seed=SEED))] == whole


def test_newer_samples_join_behind_what_is_on_its_way(hub: Hub) -> None:
    view = hub.version("digits")
    older = view.where("label < 8")

    def make() -> DeviceBatches:
        return DeviceBatches(older.batches(16, seed=SEED), numbered, ahead=3)

    for begun in (0, 1, 4):
        batches = make()
        iterator = iter(batches)
        first = [next(iterator)["number"].tolist() for _ in range(begun)]
        assert batches.join(view, new=1, old=3) == 40
        state = json.loads(json.dumps(batches.state_dict()))
        rest = [batch["number"].tolist() for batch in (iterator if begun else batches)]
        assert sorted(n for batch in first + rest for n in batch) == list(range(len(view)))
        again = make()
        again.load_state_dict(state)
        assert [batch["number"].tolist() for batch in again] == rest, "the state names what has joined"
