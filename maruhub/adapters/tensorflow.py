"""TensorFlow: batches as a ``tf.data.Dataset``, and for Keras as a ``PyDataset`` (``adapters.keras``).

A batch is one call into Python, however many samples it has. What is called is a pure function of
the batch's number, so TensorFlow may call it from several threads, and saves the iterator in its
own checkpoints (``tf.train.Checkpoint(iterator=iter(dataset))``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import tensorflow as tf

from maruhub.adapters.arrays import joined
from maruhub.adapters.runs import Runs
from maruhub.adapters.steps import Steps
from maruhub.errors import InvalidData, InvalidInput
from maruhub.loaders import Batch

PARALLEL_BATCHES: Final = 2
"""Batches read at once; each reads its samples together already."""


def to_tf_dataset(
    steps: Steps,
    collate: Callable[[Batch], Any] | None = None,
    *,
    signature: Any = None,
    flat: bool = False,
    parallel: int = PARALLEL_BATCHES,
) -> tf.data.Dataset:
    """The batches of ``steps``, in order, read ahead.

    Shuffle is the hub's: never add ``.shuffle``. For the hub's own state count the batches that
    were trained on: ``steps.state_after(n)``.

    Args:
        steps: ``Steps(view, 64, seed=7, epochs=3)``.
        collate: From a batch to arrays, nested as ``signature`` is. Default: a dict of ``id`` and
            ``data`` (texts and bytes, ``tf.string``) and of the view's columns of numbers and texts.
        signature: ``tf.TensorSpec`` s, nested; needed with ``collate``.
        flat: In place of texts, ``data`` is ``uint8[n]``, the samples' bytes one after the other,
            sample i from ``offsets[i]`` to ``offsets[i + 1]`` (``int64[m + 1]``):
            ``tf.RaggedTensor.from_row_splits(data, offsets)``. TensorFlow takes it as it is,
            where each text costs two copies.
        parallel: Batches read at once.
    """
    if collate is None:
        collate = as_flat if flat else as_strings
        signature = _signature_of(collate(steps.read(0)))
    elif flat:
        raise InvalidInput("flat= says what comes without collate=.", hint="Leave out one of them.")
    specs = tf.nest.flatten(signature)
    types = [spec.dtype for spec in specs]
    runs = Runs(steps)

    def read(step: Any) -> list[Any]:
        made = tf.nest.flatten(collate(runs.read(int(step))))
        return [_array(value, kind) for value, kind in zip(made, types, strict=True)]

    def fetch(step: Any) -> Any:
        # Stateless: the same step is the same batch for ever; without it no checkpoint is possible.
        tensors = tf.numpy_function(read, [step], types, stateful=False)
        for tensor, spec in zip(tensors, specs, strict=True):
            tensor.set_shape(spec.shape)
        return tf.nest.pack_sequence_as(signature, tensors)

    numbers = tf.data.Dataset.range(len(steps))
    return numbers.map(fetch, num_parallel_calls=parallel, deterministic=True).prefetch(parallel)


def as_strings(batch: Batch) -> dict[str, Any]:
    """What is used unless a ``collate`` is given."""
    # Objects, not NumPy's own byte strings: these lose zeros at the end.
    data = np.array([bytes(blob) for blob in batch.blobs], dtype=object)
    return {"id": np.array(batch.ids, dtype=object), "data": data, **_columns(batch)}


def as_flat(batch: Batch) -> dict[str, Any]:
    """What is used with ``flat=True``."""
    data, offsets = joined(batch.blobs)
    ids = np.array(batch.ids, dtype=object)
    return {"id": ids, "data": data, "offsets": offsets, **_columns(batch)}


def _columns(batch: Batch) -> dict[str, Any]:
    return {name: _values(name, batch.columns.column(name)) for name in batch.columns.column_names}


def _signature_of(first: Mapping[str, Any]) -> Mapping[str, Any]:
    """Types of the columns, from a batch."""
    kinds = {name: tf.string if value.dtype == object else value.dtype for name, value in first.items()}
    return {name: tf.TensorSpec([None], kind) for name, kind in kinds.items()}


def _values(name: str, column: Any) -> Any:
    values = column.to_numpy()
    if column.null_count and pa.types.is_integer(column.type):
        raise InvalidData(
            f"column {name!r} has gaps, which whole numbers can't say.",
            hint="Pass a collate that fills them.",
        )
    if values.dtype.kind in "iufb":
        return values
    return np.array(["" if value is None else str(value) for value in column.to_pylist()], dtype=object)


def _array(value: Any, kind: Any) -> Any:
    return np.asarray(value, dtype=object if kind == tf.string else kind.as_numpy_dtype)
