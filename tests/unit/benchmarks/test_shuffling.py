"""How random an order is: a true shuffle has 1, what comes as it is stored has the most there is."""

from __future__ import annotations

import random

import pytest

from benchmarks.shuffling import batch_variance

COUNT, BATCH = 20_000, 64


def _through_buffer(size: int) -> list[int]:
    """What a buffer of ``size`` samples makes of data in the order in which it is stored."""
    draw, buffer, order = random.Random(1), [], []
    for number in range(COUNT):
        buffer.append(number)
        if len(buffer) == size:
            order.append(buffer.pop(draw.randrange(size)))
    draw.shuffle(buffer)
    return order + buffer


def test_a_true_shuffle_has_the_variance_of_one():
    order = random.Random(1).sample(range(COUNT), COUNT)
    assert batch_variance(order, COUNT, BATCH) == pytest.approx(1, abs=0.15)


def test_no_shuffle_has_all_of_a_class_in_a_batch():
    order = list(range(COUNT))
    # A batch has either all of a class or none: p(1 - p)m² over the hypergeometric p(1 - p)m.
    assert batch_variance(order, COUNT, BATCH) == pytest.approx(BATCH, rel=0.05)


def test_a_buffer_of_a_thousand_leaves_classes_together():
    order = _through_buffer(1000)
    assert sorted(order) == list(range(COUNT))
    assert batch_variance(order, COUNT, BATCH) > 20


def test_the_last_short_batch_does_not_count():
    order = random.Random(1).sample(range(1000), 1000)
    assert batch_variance(order, 1000, 64) == batch_variance(order[:960], 1000, 64)
