"""Lightning: whole epochs, and a checkpoint in the middle of one from which training goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import pytest
import torch

from maruhub.adapters.lightning import HubDataModule
from maruhub.api.hub import Hub
from tests.frameworks.samples import SIDE, run_guide
from tests.frameworks.torch.test_distributed import pictures


class Classifier(lightning.LightningModule):
    """A linear model that remembers which samples it got; stops by raising after some steps."""

    def __init__(self, stop: int | None = None) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(SIDE * SIDE, 10)
        self.got: list[int] = []
        self.validated: list[int] = []
        self._stop = stop

    def training_step(self, batch: Any, index: int) -> Any:
        if self._stop is not None and self.global_step == self._stop:
            raise KeyboardInterrupt
        self.got += batch["number"]
        return torch.nn.functional.cross_entropy(self.layer(batch["x"]), batch["y"])

    def validation_step(self, batch: Any, index: int) -> None:
        self.validated += batch["number"]

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.5)


def trainer(folder: Path, every: int = 1, **options: Any) -> lightning.Trainer:
    saving = lightning.pytorch.callbacks.ModelCheckpoint(
        folder, every_n_train_steps=every, save_top_k=-1, filename="{step}", save_on_train_epoch_end=False
    )
    return lightning.Trainer(
        accelerator="cpu",
        logger=False,
        callbacks=[saving],
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **options,
    )


def module(hub: Hub, **options: Any) -> HubDataModule:
    version = hub.version("digits")
    return HubDataModule(
        version.split("train"),
        validation=version.split("validation"),
        batch_size=16,
        collate=pictures,
        seed=7,
        **options,
    )


def expected(hub: Hub, epochs: int) -> list[int]:
    batches = hub.version("digits").split("train").batches(16, seed=7, epochs=epochs)
    return [number for batch in batches for number in pictures(batch)["number"]]


@pytest.mark.parametrize("workers", [0, 2])
def test_training_goes_on_in_the_middle_of_an_epoch(hub: Hub, tmp_path: Path, workers: int) -> None:
    whole = Classifier()
    trainer(tmp_path / "whole", max_epochs=2).fit(whole, module(hub, num_workers=workers))
    assert whole.got == expected(hub, 2)
    assert sorted(set(whole.validated)) == sorted(
        int(each.rpartition("/")[2]) for each in hub.version("digits").split("validation").ids()
    )
    for stop in (3, 14):
        begun = whole.got[: _samples_of(hub, stop)]
        checkpoint = tmp_path / "whole" / f"step={stop}.ckpt"
        again = Classifier()
        other = module(hub, num_workers=2 - workers)
        trainer(tmp_path / "again", max_epochs=2).fit(again, other, ckpt_path=checkpoint, weights_only=False)
        assert begun + again.got == whole.got, stop


def _samples_of(hub: Hub, steps: int) -> int:
    batches = hub.version("digits").split("train").batches(16, seed=7, epochs=2)
    return sum(len(next(batches)) for _ in range(steps))


def test_the_guide(hub: Hub) -> None:
    run_guide("lightning.md")
