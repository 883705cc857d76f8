"""tf.data: the hub's order, checkpoints of TensorFlow's own, and the hub's state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from maruhub.adapters.arrays import rows_of_bytes
from maruhub.adapters.steps import Steps
from maruhub.adapters.tensorflow import to_tf_dataset
from maruhub.api.hub import Hub
from maruhub.errors import InvalidInput
from maruhub.loaders import Batch
from tests.frameworks.samples import SAMPLES, number_of, pixels, run_guide


@pytest.fixture
def view(hub: Hub) -> Any:
    return hub.version("digits")


def pictures(batch: Batch) -> tuple[Any, Any, Any]:
    numbers = np.array([number_of(blob) for blob in batch.blobs])
    return rows_of_bytes(batch)[:, :64] / np.float32(255), batch.columns["label"].to_numpy(), numbers


SIGNATURE = (
    tf.TensorSpec([None, 64], tf.float32),
    tf.TensorSpec([None], tf.int64),
    tf.TensorSpec([None], tf.int64),
)


def in_order(view: Any, epochs: int = 1) -> list[int]:
    return [number_of(blob) for batch in view.batches(16, seed=7, epochs=epochs) for blob in batch.blobs]


def numbers(dataset: Any) -> list[int]:
    return [int(n) for _, _, ns in dataset for n in ns]


def test_epochs_come_in_the_hub_s_order(view: Any) -> None:
    steps = Steps(view, 16, seed=7, epochs=2)
    dataset = to_tf_dataset(steps, pictures, signature=SIGNATURE)
    assert dataset.element_spec == SIGNATURE
    assert int(dataset.cardinality()) == len(steps) == 26
    assert numbers(dataset) == in_order(view, 2)
    x, y, ns = next(iter(dataset))
    assert x.shape == (16, 64)
    assert y.numpy().tolist() == [n % 10 for n in ns.numpy()]


def test_bytes_and_columns_come_by_themselves(view: Any) -> None:
    batch = next(iter(to_tf_dataset(Steps(view, 16, shuffle=False))))
    assert batch["data"].numpy().tolist() == [pixels(n) for n in range(16)], "zeros at their ends too"
    assert batch["id"].numpy()[3] == b"digits-raw/000003"
    assert (batch["label"].dtype, batch["weight"].dtype) == (tf.int64, tf.float64)


def test_bytes_come_flat_where_texts_are_not_wanted(view: Any) -> None:
    batches = list(to_tf_dataset(Steps(view, 16, seed=7), flat=True))
    ragged = [tf.RaggedTensor.from_row_splits(each["data"], each["offsets"]) for each in batches]
    found = [row.numpy().tobytes() for rows in ragged for row in rows]
    assert found == [bytes(blob) for batch in view.batches(16, seed=7) for blob in batch.blobs]
    assert [int(n) for each in batches for n in each["label"]] == [number_of(each) % 10 for each in found]
    with pytest.raises(InvalidInput, match="flat="):
        to_tf_dataset(Steps(view, 16), pictures, signature=SIGNATURE, flat=True)


def test_tensorflow_s_own_checkpoint_goes_on_exactly(view: Any, tmp_path: Path) -> None:
    dataset = to_tf_dataset(Steps(view, 16, seed=7, epochs=2), pictures, signature=SIGNATURE)
    for stop in (1, 13, 20):
        iterator = iter(dataset)
        begun = [int(n) for _ in range(stop) for n in next(iterator)[2]]
        path = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / f"at-{stop}"))
        again = iter(dataset)
        tf.train.Checkpoint(iterator=again).restore(path).assert_consumed()
        assert begun + numbers(again) == in_order(view, 2)


def test_it_goes_on_where_another_framework_stopped_and_the_other_way(view: Any) -> None:
    batches = view.batches(16, seed=7)
    begun = [number_of(blob) for _ in range(5) for blob in next(batches).blobs]
    for world in (1, 2):
        shares = []
        for rank in range(world):
            steps = Steps(view, 8, seed=7, rank=rank, world=world, state=batches.state_dict())
            dataset = to_tf_dataset(steps, pictures, signature=SIGNATURE)
            shares.append(numbers(dataset))
        assert sorted(begun + [n for share in shares for n in share]) == list(range(SAMPLES))
    steps = Steps(view, 16, seed=7)
    taken = [int(n) for _, _, ns in to_tf_dataset(steps, pictures, signature=SIGNATURE).take(4) for n in ns]
    batches.load_state_dict(steps.state_after(4))
    assert taken + [number_of(blob) for batch in batches for blob in batch.blobs] == in_order(view)


def test_the_guide(hub: Hub) -> None:
    run_guide("tensorflow.md")
