"""The model of the demo: a small neural network that learns batch by batch.

Everything that its next step depends on is in its weights (plain gradient descent, no
momentum), so the weights and a loader's state together are the whole state of a training.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from digits import pixels
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier


class Model:
    """Reads a digit from 64 pixels.

    Args:
        width: Neurons in the hidden layer.
        rate: How far each batch moves the weights.
    """

    def __init__(self, *, width: int, rate: float) -> None:
        self._net = MLPClassifier(
            (width,),
            solver="sgd",
            momentum=0,
            learning_rate_init=rate,
            shuffle=False,
            random_state=0,
            alpha=0,
        )
        # One look at an empty image gives the network its shape.
        self._net.partial_fit(np.zeros((1, 64)), [0], classes=range(10))

    def learn(self, batch: Any) -> float:
        """One step on a batch of the hub's loader; its loss."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._net.partial_fit(pixels(batch.blobs), _digits(batch))
        return float(self._net.loss_)

    def accuracy(self, view: Any) -> float:
        """The share of a view's images that it reads right."""
        right = sum(
            int((self._net.predict(pixels(batch.blobs)) == _digits(batch)).sum())
            for batch in view.batches(256, shuffle=False)
        )
        return right / len(view)

    def weights(self) -> dict[str, npt.NDArray[np.float64]]:
        """Its whole state."""
        layers = zip(self._net.coefs_, self._net.intercepts_, strict=True)
        return {
            f"{part}{i}": array
            for i, pair in enumerate(layers)
            for part, array in zip("wb", pair, strict=True)
        }

    def load(self, weights: Mapping[str, npt.NDArray[np.float64]]) -> None:
        """Goes on from what ``weights`` gave."""
        for name, array in self.weights().items():
            array[:] = weights[name]


def _digits(batch: Any) -> npt.NDArray[np.int64]:
    """The labels, as they came from the CSV."""
    labels: npt.NDArray[np.int64] = batch.columns["digit"].to_numpy()
    return labels
