"""Keras trains on the hub's batches, epoch after epoch, and goes on."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from maruhub.adapters.arrays import rows_of_bytes
from maruhub.adapters.keras import HubPyDataset, Place
from maruhub.api.hub import Hub
from maruhub.loaders import Batch
from tests.frameworks.samples import number_of

GOT: list[int] = []


def pictures(batch: Batch) -> tuple[Any, Any]:
    return rows_of_bytes(batch)[:, :64] / np.float32(255), batch.columns["label"].to_numpy()


def model() -> Any:
    made = keras.Sequential([keras.Input([64]), keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(optimizer=keras.optimizers.Adam(0.05), loss=loss, metrics=["accuracy"])
    return made


@pytest.fixture
def view(hub: Hub) -> Any:
    return hub.version("digits")


def test_a_model_learns(view: Any) -> None:
    dataset = HubPyDataset(view, 16, pictures, seed=7)
    assert len(dataset) == 13
    history = model().fit(dataset, epochs=8, verbose=0)
    assert history.history["accuracy"][-1] > 0.9


def test_each_epoch_has_its_own_order_and_goes_on_in_its_middle(view: Any) -> None:
    def of(dataset: HubPyDataset) -> list[int]:
        return [number_of(blob) for i in range(len(dataset)) for blob in dataset._steps.read(i).blobs]

    expected = [[number_of(blob) for blob in batch.blobs] for batch in view.batches(203, seed=7, epochs=3)]
    dataset = HubPyDataset(view, 16, pictures, seed=7)
    for epoch in expected:
        assert of(dataset) == epoch
        dataset.on_epoch_end()
    again = HubPyDataset(
        view, 16, pictures, seed=7, state=HubPyDataset(view, 16, pictures, seed=7).state_after(5)
    )
    assert of(again) == expected[0][80:]
    again.on_epoch_end()
    assert of(again) == expected[1]


def test_the_place_is_behind_what_was_trained_on(view: Any) -> None:
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 5:
                self.model.stop_training = True
                raise KeyboardInterrupt

    dataset = HubPyDataset(view, 16, pictures, seed=7, max_queue_size=20)
    place = Place(dataset)
    with pytest.raises(KeyboardInterrupt):
        model().fit(dataset, callbacks=[place, Stop()], verbose=0)
    assert place.state["position"] == 96
    batches = view.batches(16, seed=7)
    batches.load_state_dict(place.state)
    assert len(list(batches)) == 7
