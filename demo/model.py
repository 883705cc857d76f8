"""The model of the demo: a small neural network that learns batch by batch and can be saved.

Everything that the next step depends on is in its weights (plain gradient descent, no
momentum), so weights and a loader's state together are the whole state of a training.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from digits import pixels


class Model:
    """Reads a digit from 64 pixels.

    Args:
        width: Neurons in the hidden layer.
        rate: How far each batch moves the weights.
    """

    def __init__(self, *, width: int, rate: float) -> None:
        self._net = MLPClassifier(
            (width,), solver="sgd", momentum=0, learning_rate_init=rate, shuffle=False, random_state=0, alpha=0
        )
        # One look at nothing gives it its shape.
        self._net.partial_fit(np.zeros((1, 64)), [0], classes=range(10))

    def learn(self, batch: Any) -> float:
        """One step on a batch of the hub's loader; its loss."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._net.partial_fit(pixels(batch.blobs), digits(batch.columns))
        return float(self._net.loss_)

    def accuracy(self, view: Any) -> float:
        """The share of a view's images that it reads right."""
        return float(self._net.score(pixels(view.read()), digits(view.table())))

    def weights(self) -> dict[str, Any]:
        """Its whole state as arrays."""
        layers = enumerate(zip(self._net.coefs_, self._net.intercepts_, strict=True))
        return {f"{name}{i}": array for i, pair in layers for name, array in zip("wb", pair, strict=True)}

    def load(self, path: Path) -> None:
        """Takes the weights that a checkpoint holds."""
        with np.load(path, allow_pickle=False) as saved:
            for i in range(len(self._net.coefs_)):
                self._net.coefs_[i][:] = saved[f"w{i}"]
                self._net.intercepts_[i][:] = saved[f"b{i}"]


def digits(table: pa.Table) -> Any:
    """The label column as ``int64[n]``."""
    return table.column("digit").to_numpy()
