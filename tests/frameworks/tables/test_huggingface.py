"""Hugging Face datasets, map style and streamed."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from datasets.distributed import split_dataset_by_node

from maruhub.adapters.huggingface import to_dataset, to_iterable
from maruhub.api.hub import Hub
from maruhub.errors import InvalidInput, StateMismatch
from maruhub.loaders import Batch
from tests.frameworks.samples import SAMPLES, number_of, pixels, run_guide


@pytest.fixture
def view(hub: Hub) -> Any:
    return hub.version("digits")


def numbered(batch: Batch) -> dict[str, Any]:
    return {"number": [number_of(blob) for blob in batch.blobs], "label": batch.columns["label"].to_pylist()}


def in_order(view: Any, epoch: int = 0) -> list[int]:
    batches = view.batches(SAMPLES, seed=7, epochs=epoch + 1)
    return [number_of(blob) for blob in list(batches)[epoch].blobs]


def test_a_map_style_dataset_reads_when_it_is_asked(view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read_many = type(view).read_many
    monkeypatch.setattr(
        type(view), "read_many", lambda s, rows: asked.append(len(rows)) or read_many(s, rows)
    )
    dataset = to_dataset(view)
    assert (len(dataset), asked) == (SAMPLES, [])
    assert dataset[5] == {"id": "digits-raw/000005", "bytes": pixels(5), "label": 5, "weight": 2.5}
    assert [number_of(data) for data in dataset[10:14]["bytes"]] == [10, 11, 12, 13]
    assert asked == [1, 4]
    few = to_dataset(view, numbered).filter(lambda label: label == 3, input_columns="label").shuffle(seed=1)
    assert sorted(few[:]["number"]) == [n for n in range(SAMPLES) if n % 10 == 3]
    assert few["label"][:2] == [3, 3]
    parts = to_dataset(view, numbered).train_test_split(test_size=0.25, seed=1)
    assert sorted(parts["train"][:]["number"] + parts["test"][:]["number"]) == list(range(SAMPLES))
    doubled = to_dataset(view, numbered).select(range(4)).map(lambda row: {"twice": row["number"] * 2})
    assert sorted(row["twice"] for row in doubled.with_format(None)) == [0, 2, 4, 6]


def test_a_dataset_without_columns(hub: Hub) -> None:
    hub.bucket("bare-raw").put_many({"1": b"a", "2": b"b"})
    assert to_dataset(hub.dataset("bare").commit("bare-raw"))[:]["bytes"] == [b"a", b"b"]


def test_a_stream_has_the_hub_s_order_and_goes_on_exactly(view: Any) -> None:
    stream = to_iterable(view, numbered, seed=7, shard_samples=32)
    assert [row["number"] for row in stream] == in_order(view)
    assert [row["number"] for row in to_iterable(view, numbered, seed=7, epoch=1)] == in_order(view, 1)
    for stop in (0, 1, 31, 32, 100, SAMPLES):
        stream = to_iterable(view, numbered, seed=7, shard_samples=32)
        begun = [row["number"] for row in itertools.islice(stream, stop)]
        state = json.loads(json.dumps(stream.state_dict()))
        again = to_iterable(view, numbered, seed=7, shard_samples=32)
        again.load_state_dict(state)
        assert begun + [row["number"] for row in again] == in_order(view), stop


def test_nodes_share_a_stream(view: Any) -> None:
    shares = [
        [
            row["number"]
            for row in split_dataset_by_node(to_iterable(view, numbered, seed=7, shard_samples=32), r, 2)
        ]
        for r in range(2)
    ]
    assert sorted(shares[0] + shares[1]) == list(range(SAMPLES))
    assert all(shares)


def test_it_goes_on_where_another_framework_stopped(view: Any) -> None:
    batches = view.batches(16, seed=7)
    begun = [number_of(blob) for batch in itertools.islice(batches, 5) for blob in batch.blobs]
    stream = to_iterable(view, numbered, state=batches.state_dict(), seed=7)
    assert begun + [row["number"] for row in stream] == in_order(view)
    with pytest.raises(StateMismatch):
        to_iterable(view, state=batches.state_dict(), seed=8)
    with pytest.raises(InvalidInput, match="rank"):
        to_iterable(view, rank=1)


def test_default_columns_of_a_stream(view: Any) -> None:
    row = next(iter(to_iterable(view, shuffle=False)))
    assert row == {"id": "digits-raw/000000", "bytes": pixels(0), "label": 0, "weight": 0.0}
    assert np.isclose(row["weight"], 0)


def test_the_guide(hub: Hub) -> None:
    run_guide("huggingface.md")
