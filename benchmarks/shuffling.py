"""How random an order is that a loader handed samples out in, on data sorted by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CLASSES = 10


def batch_variance(order: Sequence[int], count: int, batch: int) -> float:
    """Variance of how many of a class a batch holds, as a multiple of a true shuffle's.

    Sample i of ``count`` is of class ``i * CLASSES // count``. A true shuffle's batches hold
    hypergeometric numbers of each class: 1 is what it has, more is samples of a class staying together.
    """
    whole = len(order) // batch * batch
    classes = np.asarray(order[:whole], dtype=np.int64) * CLASSES // count
    rows = classes.reshape(-1, batch)
    held = np.stack([(rows == number).sum(axis=1) for number in range(CLASSES)], axis=1)
    share = np.bincount(np.arange(count) * CLASSES // count, minlength=CLASSES) / count
    expected = batch * share * (1 - share) * (count - batch) / (count - 1)
    return float(((held - batch * share) ** 2 / expected).mean())
