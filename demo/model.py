"""The model of the demo: a small neural network that learns batch by batch.

Its steps are those of Adam: each weight moves by the mean of its last gradients over their
usual size, so that no single batch throws it far. Everything that its next step depends on,
these means and the count of steps too, is in ``weights``; they and a loader's state together
are the whole state of a training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from digits import pixels

PIXELS, DIGITS = 64, 10
KEPT_MEAN, KEPT_SQUARE = 0.9, 0.999
"""How much of the running means of gradients and of their squares a step keeps."""

Floats = npt.NDArray[np.float64]


class Model:
    """Reads a digit from 64 pixels.

    Args:
        width: Neurons in the hidden layer.
        rate: How far a step moves a weight at most, about.
    """

    def __init__(self, *, width: int, rate: float) -> None:
        self._rate = rate
        random = np.random.default_rng(0)
        self._net = {
            "w0": random.normal(0, np.sqrt(2 / PIXELS), (PIXELS, width)),
            "b0": np.zeros(width),
            "w1": random.normal(0, np.sqrt(2 / width), (width, DIGITS)),
            "b1": np.zeros(DIGITS),
        }
        self._mean = {name: np.zeros_like(array) for name, array in self._net.items()}
        self._square = {name: np.zeros_like(array) for name, array in self._net.items()}
        self._steps = np.zeros(1)

    def learn(self, batch: Any) -> float:
        """One step on a batch of the hub's loader; its loss (cross entropy) before the step."""
        images, digits = pixels(batch.blobs), _digits(batch)
        hidden, chances = self._forward(images)
        rows = np.arange(len(digits))
        loss = -np.log(chances[rows, digits] + 1e-12).mean()
        error = chances
        error[rows, digits] -= 1
        error /= len(digits)
        below = (error @ self._net["w1"].T) * (hidden > 0)
        self._step({"w0": images.T @ below, "b0": below.sum(0), "w1": hidden.T @ error, "b1": error.sum(0)})
        return float(loss)

    def _forward(self, images: Floats) -> tuple[Floats, Floats]:
        """The hidden layer, and each digit's chance."""
        net = self._net
        hidden = np.maximum(images @ net["w0"] + net["b0"], 0)
        scores = hidden @ net["w1"] + net["b1"]
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return hidden, powers / powers.sum(axis=1, keepdims=True)

    def _step(self, gradients: Mapping[str, Floats]) -> None:
        self._steps += 1
        for name, gradient in gradients.items():
            mean, square = self._mean[name], self._square[name]
            mean += (1 - KEPT_MEAN) * (gradient - mean)
            square += (1 - KEPT_SQUARE) * (gradient**2 - square)
            # Both means began at zero; the divisions make up for it in the first steps.
            usual = np.sqrt(square / (1 - KEPT_SQUARE**self._steps)) + 1e-8
            self._net[name] -= self._rate * (mean / (1 - KEPT_MEAN**self._steps)) / usual

    def accuracy(self, view: Any) -> float:
        """The share of a view's images that it reads right."""
        right = sum(
            int((self._forward(pixels(batch.blobs))[1].argmax(axis=1) == _digits(batch)).sum())
            for batch in view.batches(256, shuffle=False)
        )
        return right / len(view)

    def weights(self) -> dict[str, Floats]:
        """Its whole state, that of its steps too."""
        means = {f"mean-{name}": array for name, array in self._mean.items()}
        squares = {f"square-{name}": array for name, array in self._square.items()}
        return {**self._net, **means, **squares, "steps": self._steps}

    def load(self, weights: Mapping[str, Floats]) -> None:
        """Goes on from what ``weights`` gave."""
        for name, array in self.weights().items():
            array[:] = weights[name]


def _digits(batch: Any) -> npt.NDArray[np.int64]:
    """The labels, as they came from the CSV."""
    labels: npt.NDArray[np.int64] = batch.columns["digit"].to_numpy()
    return labels
