"""How good each order's shuffle is, on data that arrives sorted by class, beside numpy's own.

``python -m tests.unit.loaders.test_shuffle_quality`` prints the table of docs/internals/order.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

from maruhub.loaders import orders
from maruhub.loaders.order import Policy
from tests.unit.loaders.sources import TableSource

SIZE, CLASSES, BATCH, SEEDS = 100_000, 100, 256, 20
LABELS = np.arange(SIZE) * CLASSES // SIZE
SOURCE = TableSource(pa.table({"one": np.zeros(SIZE), "label": LABELS}))


class Quality(NamedTuple):
    """What a full shuffle makes 0 ± 1, 0 ± 1, 1 and 1.

    Attributes:
        composition: Of batches, by class, against the hypergeometric expectation: in sigmas.
        serial: Correlation of a row with the one before it: in sigmas.
        apart: How far rows that were neighbours end up from each other, of what chance gives.
        classes: In a batch, of what chance gives.
    """

    composition: float
    serial: float
    apart: float
    classes: float


def quality(rows: np.ndarray) -> Quality:
    """Of one epoch, which holds every row once."""
    whole = SIZE // BATCH
    batches = LABELS[rows[: whole * BATCH]].reshape(whole, BATCH)
    counts = np.stack([np.bincount(batch, minlength=CLASSES) for batch in batches])
    expected = BATCH / CLASSES
    freedom = whole * (CLASSES - 1)
    chi_square = ((counts - expected) ** 2 / expected).sum() * (SIZE - 1) / (SIZE - BATCH)
    serial = np.corrcoef(rows[:-1].astype(np.float64), rows[1:].astype(np.float64))[0, 1]
    places = np.empty(SIZE, dtype=np.int64)
    places[rows] = np.arange(SIZE)
    chance = CLASSES * (1 - (1 - 1 / CLASSES) ** BATCH)
    return Quality(
        composition=float((chi_square - freedom) / math.sqrt(2 * freedom)),
        serial=float(serial * math.sqrt(SIZE)),
        apart=float(np.abs(np.diff(places)).mean() / (SIZE / 3)),
        classes=float((counts > 0).sum(axis=1).mean() / chance),
    )


def numpys(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(SIZE)


def buffer(length: int) -> Callable[[int], np.ndarray]:
    """What reads in order and draws from what it holds: the shuffle of loaders over packed files."""

    def shuffled(seed: int) -> np.ndarray:
        random = np.random.default_rng(seed)
        held, out = np.arange(length), np.empty(SIZE, dtype=np.int64)
        for at, slot in enumerate(random.integers(length, size=SIZE - length).tolist()):
            out[at] = held[slot]
            held[slot] = at + length
        out[SIZE - length :] = random.permutation(held)
        return out

    return shuffled


def ours(policy: Policy, epoch: int = 0) -> Callable[[int], np.ndarray]:
    def shuffled(seed: int) -> np.ndarray:
        order = policy.order(SOURCE, seed)
        return order.rows(epoch, np.arange(SIZE, dtype=np.uint64)).astype(np.int64)

    return shuffled


def measured(shuffled: Callable[[int], np.ndarray], seeds: int = SEEDS) -> np.ndarray:
    return np.array([quality(shuffled(seed)) for seed in range(seeds)])


FULL = {
    "shuffled": ours(orders.Shuffled()),
    "shuffled, epoch 9": ours(orders.Shuffled(), epoch=9),
    "curriculum of one stage": ours(orders.Curriculum("one", stages=1)),
    "balanced, one class": ours(orders.Balanced("one")),
    "mixed, one part": ours(orders.Mixed((1,))),
    "blocks of one": ours(orders.Blocks(rows=1, window=64)),
}
LOCAL = {
    "`Blocks(64, 64)` (the default)": ours(orders.Blocks()),
    "`Blocks(16, 256)`": ours(orders.Blocks(16, 256)),
    "`Blocks(256, 16)`": ours(orders.Blocks(256, 16)),
    "`Blocks(8, 64)`": ours(orders.Blocks(8, 64)),
}
BUFFERS = {f"buffer of {n:,}": buffer(n) for n in (1000, 10_000)}


@pytest.fixture(scope="module")
def chance() -> np.ndarray:
    return measured(numpys)


@pytest.mark.parametrize("name", FULL)
def test_a_full_shuffle_cannot_be_told_from_numpys(name: str, chance: np.ndarray) -> None:
    found = measured(FULL[name])
    spread = np.maximum(chance.std(axis=0), 1e-9)
    # The difference of two means of 20, in sigmas; eight measures of it a run, so 4.5 is generous.
    apart = np.abs(found.mean(axis=0) - chance.mean(axis=0)) / (spread * math.sqrt(2 / SEEDS))
    assert (apart < 4.5).all(), dict(zip(Quality._fields, apart, strict=True))
    ratio = found.std(axis=0) / spread
    assert (ratio > 0.4).all()
    assert (ratio < 2.5).all()
    assert abs(found[:, 0].mean()) * math.sqrt(SEEDS) < 4.5
    assert abs(found[:, 1].mean()) * math.sqrt(SEEDS) < 4.5


def test_a_buffer_of_1000_fails_by_far() -> None:
    for length, least in ((1000, 1000), (10_000, 100)):
        found = measured(buffer(length), 2)
        assert found[:, 0].min() > least
        assert found[:, 1].min() > 100
        assert found[:, 2].max() < 0.3


def test_blocks_mix_much_better_than_a_buffer_that_holds_as_much() -> None:
    local, held = measured(ours(orders.Blocks()), 3), measured(buffer(4096), 3)
    assert local[:, 0].max() < held[:, 0].min() / 5
    assert local[:, 3].min() > 2 * held[:, 3].max()
    # Weaker than a full shuffle nevertheless, as is said of it.
    assert local[:, 0].min() > 10


def test_smaller_blocks_in_a_wider_window_mix_better() -> None:
    fine, plain, coarse = (
        measured(ours(orders.Blocks(rows, window)), 3)[:, 0].mean()
        for rows, window in ((16, 256), (64, 64), (256, 16))
    )
    assert fine < plain / 3 < coarse / 9


if __name__ == "__main__":
    print("| order | batch composition, σ | serial correlation, σ | neighbours' distance | classes a batch |")
    print("|---|---|---|---|---|")
    for label, each in {
        "numpy's `permutation`": numpys,
        "`Shuffled()`": FULL["shuffled"],
        **LOCAL,
        **BUFFERS,
    }.items():
        mean, spread = measured(each, 5).mean(axis=0), measured(each, 5).std(axis=0)
        print(
            f"| {label} | {mean[0]:,.1f} ± {spread[0]:,.1f} | {mean[1]:,.1f} ± {spread[1]:,.1f} | {mean[2]:.2f} | {mean[3]:.2f} |"
        )
