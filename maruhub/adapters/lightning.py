"""Lightning: a data module over views of the hub.

Lightning keeps the training loader's state in its checkpoints by itself, and puts it back.
"""

from __future__ import annotations

from typing import Any

from lightning import LightningDataModule

from maruhub.adapters.torch import Loader


class HubDataModule(LightningDataModule):
    """Loaders over the splits of a dataset, or whatever views are given.

    Pass ``use_distributed_sampler=False`` to the trainer: each rank finds its own share, and
    every sample comes once over all ranks.

    Args:
        train: What ``fit`` trains on, shuffled.
        validation: What it validates on, in the view's own sequence; None: nothing.
        test: What ``test`` reads.
        predict: What ``predict`` reads.
        options: Of :class:`maruhub.adapters.torch.Loader`, for all of them; ``seed`` and the
            order count for training alone.
    """

    def __init__(
        self, train: Any, *, validation: Any = None, test: Any = None, predict: Any = None, **options: Any
    ) -> None:
        super().__init__()
        self._views = {"train": train, "validation": validation, "test": test, "predict": predict}
        self._options = options

    def train_dataloader(self) -> Loader:
        """Shuffled, and resumable at any batch."""
        return Loader(self._views["train"], **self._options)

    def val_dataloader(self) -> Any:
        """The validation view."""
        return self._in_sequence("validation")

    def test_dataloader(self) -> Any:
        """The test view."""
        return self._in_sequence("test")

    def predict_dataloader(self) -> Any:
        """What predictions are wanted of."""
        return self._in_sequence("predict")

    def _in_sequence(self, name: str) -> Any:
        if self._views[name] is None:
            return []
        training_only = ("seed", "order", "shuffle", "samples_per_epoch", "run", "epochs")
        options = {name: value for name, value in self._options.items() if name not in training_only}
        return Loader(self._views[name], shuffle=False, **options)
