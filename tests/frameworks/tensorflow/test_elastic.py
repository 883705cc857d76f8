"""Any world goes on with what another began, through tf.data and through Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from maruhub.adapters.keras import HubPyDataset, Place
from maruhub.adapters.steps import Steps
from maruhub.adapters.tensorflow import to_tf_dataset
from maruhub.api.hub import Hub
from maruhub.loaders import Batch
from tests.frameworks.elastic import SEED, Share, check_leg, check_worlds
from tests.frameworks.samples import number_of
from tests.frameworks.tensorflow.test_keras import model, pictures

Got = tuple[list[list[int]], dict[str, Any]]


def numbers(batch: Batch) -> Any:
    return np.array([number_of(blob) for blob in batch.blobs])


def by_tensorflow(view: Any, share: Share) -> Got:
    steps = Steps(view, share.batch_size, seed=SEED, rank=share.rank, world=share.world, state=share.state)
    dataset = to_tf_dataset(steps, numbers, signature=tf.TensorSpec([None], tf.int64))
    got = [batch.tolist() for batch in dataset.take(share.steps or -1).as_numpy_iterator()]
    return got, steps.state_after(len(got)) if got else steps.end()


def by_keras(view: Any, share: Share) -> Got:
    """Without a model, as ``fit`` would ask for the batches."""
    dataset = HubPyDataset(
        view, share.batch_size, numbers, seed=SEED, rank=share.rank, world=share.world, state=share.state
    )
    place = Place(dataset)
    count = min(share.steps or len(dataset), len(dataset))
    got = []
    for step in range(count):
        got.append(dataset[step].tolist())
        place.on_train_batch_end(step)
    if count == len(dataset):
        dataset.on_epoch_end()
        return got, dataset.state_after(0)
    return got, place.state


def test_tensorflow_in_every_world(hub: Hub) -> None:
    check_worlds(hub.version("digits"), by_tensorflow, stops=2)


def test_keras_in_every_world(hub: Hub) -> None:
    check_worlds(hub.version("digits"), by_keras, stops=4)


def test_both_go_on_where_other_frameworks_stopped(hub: Hub) -> None:
    check_leg(hub.version("digits"), "tensorflow", by_tensorflow)
    check_leg(hub.version("digits"), "keras", by_keras)


def test_all_shapes_are_one_where_steps_are_padded(hub: Hub) -> None:
    view = hub.version("digits")
    shapes = {
        batch.shape[0]
        for rank in range(3)
        for batch in to_tf_dataset(
            Steps(view, 8, rank=rank, world=3, remainder="pad"),
            numbers,
            signature=tf.TensorSpec([None], tf.int64),
        )
    }
    assert shapes == {8}


def test_a_mix(hub: Hub) -> None:
    view = hub.version("digits")
    mix = hub.mix([view.where("label < 3"), view.where("label >= 3")], [1, 1])
    whole = [number_of(blob) for batch in mix.batches(16, seed=SEED) for blob in batch.blobs]
    dataset = to_tf_dataset(Steps(mix, 16, seed=SEED), numbers, signature=tf.TensorSpec([None], tf.int64))
    assert [n for batch in dataset.as_numpy_iterator() for n in batch.tolist()] == whole
    history = model().fit(HubPyDataset(mix, 16, pictures, seed=SEED), epochs=1, verbose=0)
    assert len(history.history["loss"]) == 1
