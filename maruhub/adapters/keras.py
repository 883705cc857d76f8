"""Keras 3: batches as a ``PyDataset``, for every backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from maruhub.adapters.steps import Steps
from maruhub.loaders import Batch


class HubPyDataset(keras.utils.PyDataset):
    """An epoch of a view for ``model.fit``; each further epoch has its own order.

    Args:
        view: The samples.
        batch_size: Samples a batch.
        collate: From a batch to ``(x, y)`` as arrays.
        state: Where to go on, as the hub's loaders or :class:`Place` say it: the first epoch is
            then the rest of the one that was begun.
        workers: Keras's threads (or processes, with ``use_multiprocessing``) that read.
        use_multiprocessing: Whether they are processes.
        max_queue_size: Batches that may wait.
        options: See :class:`maruhub.adapters.steps.Steps`.
    """

    def __init__(
        self,
        view: Any,
        batch_size: int,
        collate: Callable[[Batch], Any],
        *,
        state: Mapping[str, Any] | None = None,
        workers: int = 2,
        use_multiprocessing: bool = False,
        max_queue_size: int = 10,
        **options: Any,
    ) -> None:
        super().__init__(
            workers=workers, use_multiprocessing=use_multiprocessing, max_queue_size=max_queue_size
        )
        self._make: dict[str, Any] = {"view": view, "batch_size": batch_size, **options}
        self._collate = collate
        self._steps = Steps(**self._make, state=state)

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, step: int) -> Any:
        return self._collate(self._steps.read(step))

    def on_epoch_end(self) -> None:
        """Goes on to the next epoch, in its own order."""
        self._steps = Steps(**self._make, state=self._steps.end())

    def state_after(self, steps: int) -> dict[str, Any]:
        """The hub's state once ``steps`` batches of this epoch are trained on."""
        return self._steps.state_after(steps)


class Place(keras.callbacks.Callback):
    """Keeps the hub's state behind the last batch that was trained on, in ``state``."""

    def __init__(self, dataset: HubPyDataset) -> None:
        super().__init__()
        self._dataset = dataset
        self.state = dataset.state_after(0)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves the state; Keras may have fetched much more."""
        self.state = self._dataset.state_after(batch + 1)
