"""Orders: each policy's promise, its values of the last release, and what it refuses."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from maruhub.errors import InvalidInput
from maruhub.loaders import Batches, orders
from maruhub.loaders.options import LoaderOptions
from maruhub.loaders.order import Order, Policy
from maruhub.store.format.extent import Blobs
from tests.unit.loaders.sources import BlankStore, SyntheticSource, TableSource

ONCE = [
    orders.Shuffled(),
    orders.Sequential(),
    orders.Blocks(rows=4, window=3),
    orders.Blocks(rows=1, window=1),
    orders.Blocks(rows=64, window=64),
    orders.Curriculum("label", stages=3),
    orders.Curriculum("hard", stages=1000, descending=True),
]
DRAWN = [orders.Balanced("label"), orders.Weighted("hard"), orders.Mixed((1,))]


def source(size: int) -> TableSource:
    """Sorted by class, which is the worst case; ``hard`` is a number a row."""
    rows = np.arange(size)
    return TableSource(pa.table({"label": rows * 5 // max(1, size), "hard": (rows * 7919) % 101 / 10}))


def epoch_of(order: Order, epoch: int = 0) -> list[int]:
    return order.rows(epoch, np.arange(order.size, dtype=np.uint64)).tolist()


@pytest.mark.parametrize("policy", ONCE, ids=str)
@pytest.mark.parametrize("size", [1, 2, 5, 11, 12, 13, 97, 500])
def test_every_row_comes_once_an_epoch(policy: Policy, size: int) -> None:
    for seed in range(3):
        order = policy.order(source(size), seed)
        for epoch in (0, 1, 5):
            assert sorted(epoch_of(order, epoch)) == list(range(size))


@pytest.mark.parametrize("policy", [p for p in [*ONCE, *DRAWN] if p.shuffles], ids=str)
def test_seeds_and_epochs_have_orders_of_their_own(policy: Policy) -> None:
    runs = {
        tuple(epoch_of(policy.order(source(120), seed), epoch)) for seed in range(3) for epoch in range(3)
    }
    stages = getattr(policy, "stages", 1)
    assert len(runs) == (1 if stages >= 120 else 9)


@pytest.mark.parametrize("policy", [*ONCE, *DRAWN], ids=str)
def test_any_positions_are_the_epochs_own(policy: Policy) -> None:
    order = policy.order(source(311), 3)
    whole = epoch_of(order, 2)
    positions = np.random.default_rng(0).permutation(311)[:100].astype(np.uint64)
    assert order.rows(2, positions).tolist() == [whole[p] for p in positions.tolist()]
    assert order.rows(2, positions[:0]).tolist() == []


@pytest.mark.parametrize("policy", [*ONCE, *DRAWN], ids=str)
def test_a_policy_is_told_in_json_and_read_back(policy: Policy) -> None:
    assert orders.policy_of(json.loads(json.dumps(policy.to_json()))) == policy


@pytest.mark.parametrize("policy", [*ONCE, *DRAWN[:2]], ids=str)
def test_an_empty_source_has_empty_epochs(policy: Policy) -> None:
    assert policy.order(source(0), 1).size == 0


FROZEN = {
    "shuffled": "48a85e0bad07d57d",
    "blocks": "6fc14c95c04fc60f",
    "balanced": "21e418dc8f7a2293",
    "weighted": "1771c83bb4874f16",
    "curriculum": "a9b488d91f0ad609",
    "mixed": "6250ec8f9ed7c041",
    "samples": "b5707b1bd8496803",
}


def digest(policy: Policy, samples: int | None = None) -> str:
    options = LoaderOptions.of({"order": policy, "seed": 11, "samples_per_epoch": samples})
    order = options.order_of(source(1000))
    rows = [row for epoch in (0, 3) for row in epoch_of(order, epoch)]
    return hashlib.sha256(np.array(rows, dtype="<u8").tobytes()).hexdigest()[:16]


def test_orders_are_those_of_the_last_release() -> None:
    """A state that was saved must go on in the same order: these values never change."""
    found = {
        "shuffled": digest(orders.Shuffled()),
        "blocks": digest(orders.Blocks(rows=16, window=8)),
        "balanced": digest(orders.Balanced("label")),
        "weighted": digest(orders.Weighted("hard")),
        "curriculum": digest(orders.Curriculum("hard", stages=7)),
        "mixed": digest(orders.Mixed((3,))),
        "samples": digest(orders.Shuffled(), samples=300),
    }
    assert found == FROZEN


def test_blocks_keep_neighbours_in_one_window() -> None:
    order = orders.Blocks(rows=10, window=5).order(source(1000), 1)
    for window in np.split(np.array(epoch_of(order)), 20):
        assert len(np.unique(window // 10)) == 5


def test_blocks_mix_within_a_window_and_draw_its_blocks_from_everywhere() -> None:
    rows = np.array(epoch_of(orders.Blocks(rows=10, window=20).order(source(10_000), 1)))
    window = rows[:200]
    assert np.mean(np.diff(window) == 1) < 0.05
    assert window.min() < 2500
    assert window.max() > 7500


def test_balanced_gives_each_class_once_in_every_round() -> None:
    sizes = [700, 3, 90, 200, 7]
    labels = np.repeat(np.arange(5), sizes)
    order = orders.Balanced("label").order(TableSource(pa.table({"label": labels})), 2)
    drawn = np.concatenate([epoch_of(order, epoch) for epoch in range(4)])
    assert (np.sort(labels[drawn].reshape(-1, 5), axis=1) == np.arange(5)).all()
    for each, size in enumerate(sizes):
        own = drawn[labels[drawn] == each]
        for start in range(0, len(own) - size, size):
            assert len(set(own[start : start + size].tolist())) == size  # all before any again


def test_classes_are_of_any_type() -> None:
    for values in (["cat", "dog", "cat"], [1.5, 2.5, 1.5], [True, False, True], [b"a", b"b", b"a"]):
        order = orders.Balanced("label").order(TableSource(pa.table({"label": values})), 2)
        assert 1 in epoch_of(order)
    chunked = pa.table({"label": pa.chunked_array([["a"], ["b", "a"]])})
    assert orders.Balanced("label").order(TableSource(chunked), 2).size == 3


def test_weighted_counts_are_the_weights_up_or_down_to_a_whole() -> None:
    weights = np.random.default_rng(5).exponential(size=400)
    weights[:40] = 0
    order = orders.Weighted("w").order(TableSource(pa.table({"w": weights})), 3)
    total = np.zeros(400)
    for epoch in range(50):
        counts = np.bincount(epoch_of(order, epoch), minlength=400)
        expected = weights / weights.sum() * 400
        assert (np.abs(counts - expected) < 1).all()
        assert not counts[:40].any()
        total += counts
    assert np.abs(total / 50 - expected).max() < 0.25


def test_a_curriculum_goes_up_in_stages_and_is_random_within_them() -> None:
    values = np.random.default_rng(5).permutation(1000)
    order = orders.Curriculum("v", stages=4).order(TableSource(pa.table({"v": values})), 3)
    seen = values[epoch_of(order)].reshape(4, 250)
    for stage, part in enumerate(seen):
        assert sorted(part) == list(range(250 * stage, 250 * stage + 250))
        assert abs(np.corrcoef(part, np.arange(250))[0, 1]) < 0.25
    down = orders.Curriculum("v", stages=1000, descending=True)
    assert values[epoch_of(down.order(TableSource(pa.table({"v": values})), 3))].tolist() == list(
        range(999, -1, -1)
    )


@pytest.mark.parametrize("policy", [orders.Shuffled(), orders.Sequential(), orders.Blocks(4, 4)], ids=str)
@pytest.mark.parametrize("samples", [1, 40, 100, 250])
def test_epochs_of_a_fixed_length_lose_and_repeat_nothing(policy: Policy, samples: int) -> None:
    options = LoaderOptions.of({"order": policy, "samples_per_epoch": samples, "seed": 5})
    cut = options.order_of(source(100))
    plain = policy.order(source(100), 5)
    count = -(-300 // samples)
    sequence = [row for epoch in range(count) for row in epoch_of(cut, epoch)]
    assert sequence[:300] == [row for epoch in range(3) for row in epoch_of(plain, epoch)]
    assert cut.size == samples


def test_what_a_recorder_is_told_covers_what_is_read() -> None:
    cut = LoaderOptions.of({"samples_per_epoch": 40, "seed": 5}).order_of(source(100))
    assert [tuple(span) for span in cut.spans(2, 0, 40)] == [(0, 5, 80, 100), (1, 5, 0, 20)]
    for policy in (*DRAWN, orders.Blocks(), orders.Curriculum("hard")):
        assert [tuple(span) for span in policy.order(source(100), 5).spans(3, 7, 9)] == [(0, None, 0, 100)]


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (lambda: orders.Blocks(rows=0), "rows"),
        (lambda: orders.Blocks(window="4"), "window"),  # type: ignore[arg-type]
        (lambda: orders.Curriculum("v", stages=0), "stages"),
        (lambda: orders.Balanced(3), "column"),  # type: ignore[arg-type]
        (lambda: orders.Mixed(()), "shares"),
        (lambda: orders.Mixed("31"), "shares"),  # type: ignore[arg-type]
        (lambda: orders.Mixed((1, -1)), "shares"),
        (lambda: orders.policy_of({"kind": "best"}), "no order"),
        (lambda: orders.policy_of({"kind": "blocks", "size": 3}), "size"),
        (lambda: orders.policy_of(["blocks"]), "order"),
        (lambda: orders.policy_of({"kind": ["blocks"]}), "no order"),
        (lambda: orders.Mixed((1, 1)).order(source(10), 0), "2 shares for 1 parts"),
        (lambda: orders.Balanced("none").order(source(10), 0), "no column 'none'"),
        (lambda: orders.Balanced("v").order(TableSource(pa.table({"v": [1, None]})), 0), "no value"),
        (lambda: orders.Weighted("v").order(TableSource(pa.table({"v": [1.0, -1]})), 0), "row 1"),
        (lambda: orders.Weighted("v").order(TableSource(pa.table({"v": [1.0, np.nan]})), 0), "row 1"),
        (lambda: orders.Weighted("v").order(TableSource(pa.table({"v": [0.0, 0]})), 0), "are 0"),
        (lambda: orders.Weighted("v").order(TableSource(pa.table({"v": ["x", "y"]})), 0), "no numbers"),
        (lambda: orders.Curriculum("v").order(TableSource(pa.table({"v": [[1], [2]]})), 0), "sorted"),
        (lambda: orders.Balanced("v").order(TableSource(pa.table({"v": [{"a": 1}]})), 0), "no classes"),
        (lambda: LoaderOptions.of({"shuffle": False, "order": orders.Blocks()}), "shuffle=False"),
        (lambda: LoaderOptions.of({"order": "blocks"}), "order"),
        (lambda: LoaderOptions.of({"samples_per_epoch": 0}), "samples_per_epoch"),
        (lambda: LoaderOptions.of({"sed": 0}), "no option 'sed'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(policy: object, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        policy()  # type: ignore[operator]


def test_an_order_of_a_huge_source_costs_no_memory() -> None:
    huge = SyntheticSource(1 << 50)
    for policy in (orders.Blocks(), orders.Mixed((1,))):
        order = policy.order(huge, 1)
        rows = order.rows(1 << 20, np.arange((1 << 50) - 1000, 1 << 50, dtype=np.uint64))
        assert (rows < 1 << 50).all()
        assert len(np.unique(rows)) == 1000


def test_a_window_of_blocks_is_read_in_a_few_long_runs() -> None:
    """What the order is for: how often a reader has to go to another place."""

    class Places(BlankStore):
        jumps = 0
        at = -1

        def read_many(self, blobs: Blobs, *, verify: bool = True) -> list[memoryview]:
            for segment, offset in zip(blobs.extents["segment"], blobs.extents["offset"], strict=True):
                place = int(segment) * (1 << 16) + int(offset) // 53_248
                self.jumps += place != self.at + 1
                self.at = place
            return super().read_many(blobs, verify=verify)

    def jumps(**options: Any) -> int:
        store = Places(size_bytes=10)
        batches = Batches(SyntheticSource(65_536), store, 64, prefetch=0, **options)
        assert sum(map(len, batches)) == 65_536
        return store.jumps

    assert jumps(order=orders.Blocks(rows=64, window=16)) < 65_536 / 50
    assert jumps() > 65_536 / 2
    assert jumps(shuffle=False) < 65_536 / 50


def test_a_wide_window_is_not_planned_whole() -> None:
    wide = LoaderOptions.of({"order": orders.Blocks(rows=1 << 20, window=1 << 16)})
    assert wide.window_for(wide.order_of(SyntheticSource(1 << 40))).chunk_samples == 1 << 15


@pytest.mark.parametrize("policy", [p for p in [*ONCE, *DRAWN] if p.shuffles], ids=str)
def test_an_epoch_beyond_64_bits_is_a_clear_error_or_an_order(policy: Policy) -> None:
    order = policy.order(source(20), 1)
    assert len(order.rows((1 << 64) - 1, np.arange(20, dtype=np.uint64))) == 20
    if isinstance(policy, orders.Balanced | orders.Mixed):
        assert len(order.rows(1 << 70, np.arange(20, dtype=np.uint64))) == 20
        return
    with pytest.raises(InvalidInput, match="epoch"):
        order.rows(1 << 64, np.arange(20, dtype=np.uint64))
