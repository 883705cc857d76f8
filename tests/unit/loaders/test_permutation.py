"""The permutation is a bijection, a frozen format, and as random as a full shuffle."""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter

import numpy as np
import pytest

from maruhub.errors import InvalidInput
from maruhub.loaders.permutation import epoch_key, grid_of, locate, permute, permute_at

GOLDEN = [
    (0, 10, 10, 0, 0, [9, 5, 2, 0, 7, 6, 4, 8, 3, 1]),
    (0, 8, 1797, 7, 0, [741, 1643, 644, 1506, 153, 452, 1164, 1313]),
    (0, 8, 1797, 7, 1, [248, 1504, 35, 86, 1251, 655, 658, 89]),
    (0, 8, 4095, 1, 0, [642, 1459, 1607, 1362, 2827, 359, 2823, 2304]),
    (0, 8, 4096, 1, 0, [1853, 1227, 291, 1784, 2612, 3162, 1983, 400]),
    (999_995, 1_000_000, 1_000_000, 1, 2, [122337, 571697, 335096, 728635, 525056]),
    (5, 9, 1 << 40, (1 << 64) - 1, 3, [240428373149, 881067006919, 858369994663, 235676835176]),
    (
        (1 << 63) - 3,
        1 << 63,
        1 << 63,
        12345,
        0,
        [2196482124361881692, 1950092517341216136, 2257838676208362042],
    ),
]


@pytest.mark.parametrize(("start", "stop", "n", "seed", "epoch", "expected"), GOLDEN)
def test_the_order_is_a_format(
    start: int, stop: int, n: int, seed: int, epoch: int, expected: list[int]
) -> None:
    # If this fails, saved states would go on in another order: never change the values.
    assert permute(start, stop, n, epoch_key(seed, epoch)).tolist() == expected


def plainly(position: int, n: int, seed: int, epoch: int) -> int:
    """The formula of docs/internals/order.md, in plain Python."""
    rows = math.isqrt(n - 1) + 1
    rows += rows % 2
    columns = -(-n // rows)
    key = hashlib.sha256(
        b"maruhub order 1\0" + seed.to_bytes(8, "little") + epoch.to_bytes(8, "little")
    ).digest()

    def mix(half: int, turn: int, size: int) -> int:
        k = int.from_bytes(hashlib.sha256(key + bytes([turn])).digest()[:8], "little")
        h = (half ^ k) * 0xBF58476D1CE4E5B9 % 2**64
        h = (h ^ h >> 32) * 0x94D049BB133111EB % 2**64
        return (h >> 32) * size >> 32

    while True:
        x, y = divmod(position, columns)
        for turn in range(16 if n < 4096 else 6):
            if turn % 2 == 0:
                x = (x + mix(y, turn, rows)) % rows
            else:
                y = (y + mix(x, turn, columns)) % columns
        position = x * columns + y
        if position < n:
            return position


@pytest.mark.parametrize("n", [1, 2, 3, 7, 1797, 4095, 4096, 10**6 + 3, 1 << 40, (1 << 63) - 25, 1 << 63])
def test_equals_the_documented_formula(n: int) -> None:
    positions = [p for p in (0, 1, 2, n // 2, n - 1) if p < n]
    got = permute_at(np.array(positions, dtype=np.uint64), n, epoch_key(11, 4)).tolist()
    assert got == [plainly(p, n, 11, 4) for p in positions]


def test_every_small_size_is_permuted_and_inverted() -> None:
    for n in range(1, 260):
        for seed in range(4):
            key = epoch_key(seed, n % 3)
            order = permute(0, n, n, key)
            assert np.array_equal(np.sort(order), np.arange(n))
            assert np.array_equal(locate(order, n, key), np.arange(n))


@pytest.mark.parametrize("n", [4097, 65_536, 100_003, 1_000_000])
def test_larger_sizes_are_permuted_whole(n: int) -> None:
    order = permute(0, n, n, epoch_key(5, 0))
    assert np.array_equal(np.bincount(order.astype(np.int64), minlength=n), np.ones(n))


def test_windows_are_parts_of_the_whole() -> None:
    n, key = 20_011, epoch_key(3, 1)
    whole = permute(0, n, n, key)
    for start, stop in [(0, 1), (8191, 8193), (20_000, 20_011), (5, 5)]:
        assert np.array_equal(permute(start, stop, n, key), whole[start:stop])


@pytest.mark.parametrize("n", [1 << 33, 1 << 63])
def test_huge_sizes_invert(n: int) -> None:
    key = epoch_key(1, 1)
    order = permute(n - 5000, n, n, key)
    assert len(np.unique(order)) == 5000
    assert int(order.max()) < n
    assert np.array_equal(locate(order, n, key), np.arange(n - 5000, n, dtype=np.uint64))


def test_other_epochs_and_seeds_are_other_orders() -> None:
    n = 1000
    orders = {tuple(permute(0, n, n, epoch_key(s, e)).tolist()) for s in range(20) for e in range(20)}
    assert len(orders) == 400


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_every_permutation_of_a_few_comes_equally_often(n: int) -> None:
    each, many = 20 if n == 5 else 120, math.factorial(n)
    counts = Counter(tuple(permute(0, n, n, epoch_key(s, 0)).tolist()) for s in range(each * many))
    assert len(counts) == many
    chi_square = sum((count - each) ** 2 / each for count in counts.values())
    assert chi_square < many - 1 + 5 * math.sqrt(2 * many)


@pytest.mark.parametrize("n", [997, 1797, 10_000, 65_537])
def test_fixed_points_are_as_rare_as_chance_has_them(n: int) -> None:
    # A random permutation has one fixed point on average, with variance one.
    own = np.arange(n, dtype=np.uint64)
    fixed = [int((permute(0, n, n, epoch_key(s, 9)) == own).sum()) for s in range(200)]
    assert abs(np.mean(fixed) - 1) < 5 / math.sqrt(200)
    assert 0.5 < np.var(fixed) < 1.7


@pytest.mark.parametrize("n", [1797, 10_000, 262_144, 1_000_003])
def test_neighbours_are_uncorrelated(n: int) -> None:
    for seed in range(5):
        order = permute(0, n, n, epoch_key(seed, 0)).astype(np.float64)
        for lag in (1, 2, math.isqrt(n), math.isqrt(n) + 1):
            correlation = np.corrcoef(order[:-lag], order[lag:])[0, 1]
            assert abs(correlation) < 5 / math.sqrt(n)


@pytest.mark.parametrize(("n", "batch"), [(1_000, 50), (10_000, 64), (100_000, 256)])
def test_batches_of_class_sorted_data_are_composed_as_by_chance(n: int, batch: int) -> None:
    classes = 10
    labels = np.arange(n) * classes // n
    z = [batch_composition_z(labels[order_of(n, s)], batch, classes) for s in range(30)]
    # Each z is standard normal for a full shuffle; so is their mean, times sqrt(30).
    assert abs(np.mean(z)) * math.sqrt(30) < 4.5
    assert max(abs(v) for v in z) < 5


def test_the_composition_test_sees_a_shuffle_buffer() -> None:
    """The test above can fail: a buffer of 1,000 over class-sorted data is far off."""
    n, batch, classes = 100_000, 256, 10
    labels = np.arange(n) * classes // n
    random = np.random.default_rng(0)
    buffer, order = list(range(1000)), []
    for incoming in range(1000, n):
        slot = int(random.integers(1000))
        order.append(buffer[slot])
        buffer[slot] = incoming
    assert batch_composition_z(labels[order + buffer], batch, classes) > 100


def order_of(n: int, seed: int) -> np.ndarray:
    return permute(0, n, n, epoch_key(seed, 0)).astype(np.int64)


def batch_composition_z(labels: np.ndarray, batch: int, classes: int) -> float:
    """How far class counts of batches are from the hypergeometric expectation, in sigmas.

    The sum over batches and classes of (count - expected)^2 / expected, scaled by the
    finite population's (n - 1) / (n - batch), is close to chi-square with
    batches * (classes - 1) degrees of freedom, less the last batch's.
    """
    n, whole = len(labels), len(labels) // batch
    counts = np.stack([np.bincount(b, minlength=classes) for b in labels[: whole * batch].reshape(whole, -1)])
    expected = batch / classes
    chi_square = ((counts - expected) ** 2 / expected).sum() * (n - 1) / (n - batch)
    freedom = whole * (classes - 1)
    return float((chi_square - freedom) / math.sqrt(2 * freedom))


def test_is_fast_enough_not_to_be_seen() -> None:
    key = epoch_key(0, 0)
    permute(0, 1000, 10**7, key)
    start = time.perf_counter()
    permute(0, 1_000_000, 10**7, key)
    # 12–55 million a second on an idle core; a loaded test machine still makes a tenth.
    assert time.perf_counter() - start < 1.0


def test_refuses_what_is_outside() -> None:
    key = epoch_key(0, 0)
    with pytest.raises(InvalidInput, match="not within 0 … 10"):
        permute(5, 11, 10, key)
    with pytest.raises(InvalidInput, match="order of 10"):
        permute_at(np.array([10], dtype=np.uint64), 10, key)
    with pytest.raises(InvalidInput, match=r"2\*\*63"):
        grid_of((1 << 63) + 1)
    with pytest.raises(InvalidInput, match="seed -1"):
        epoch_key(-1, 0)
