"""scikit-learn's estimators that learn batch by batch."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import SGDClassifier

from maruhub.adapters.arrays import rows_of_bytes
from maruhub.adapters.sklearn import classes_of, partial_fit
from maruhub.api.hub import Hub
from maruhub.errors import InvalidData, InvalidInput
from maruhub.loaders import Batch
from tests.frameworks.samples import run_guide


def collate(batch: Batch) -> tuple[Any, Any]:
    return rows_of_bytes(batch)[:, :64] / 255, batch.columns["label"].to_numpy()


def test_a_classifier_learns_and_goes_on_exactly(hub: Hub) -> None:
    view = hub.version("digits")
    classes = classes_of(view, "label")
    assert classes.tolist() == list(range(10))
    whole = SGDClassifier(random_state=1)
    partial_fit(whole, view.batches(16, seed=7, epochs=20), collate, classes=classes)
    everything = next(iter(view.batches(len(view), shuffle=False)))
    assert whole.score(*collate(everything)) > 0.9

    class Stopped(Exception):
        pass

    states: list[str] = []

    def stop_in_the_middle(estimator: Any, batch: Batch) -> None:
        states.append(json.dumps(batches.state_dict()))
        if len(states) == 97:
            raise Stopped

    begun, batches = SGDClassifier(random_state=1), view.batches(16, seed=7, epochs=20)
    with pytest.raises(Stopped):
        partial_fit(begun, batches, collate, classes=classes, after_batch=stop_in_the_middle)
    again = view.batches(16, seed=7, epochs=20 - json.loads(states[-1])["epoch"])
    again.load_state_dict(json.loads(states[-1]))
    partial_fit(begun, again, collate, classes=classes)
    assert np.array_equal(begun.coef_, whole.coef_)


def test_an_estimator_without_targets(hub: Hub) -> None:
    model = MiniBatchKMeans(10, random_state=1, n_init=1)
    assert partial_fit(model, hub.version("digits").batches(50), lambda batch: collate(batch)[0]) is model
    assert model.cluster_centers_.shape == (10, 64)


def test_what_can_t_learn_batch_by_batch_is_told(hub: Hub) -> None:
    with pytest.raises(InvalidInput, match="partial_fit"):
        partial_fit(object(), hub.version("digits").batches(50), collate)
    hub.bucket("odd-raw").put_many({"1": b"12", "2": b"123"})
    batch = next(iter(hub.dataset("odd").commit("odd-raw").batches(2)))
    with pytest.raises(InvalidData, match="2 and of 3 bytes"):
        rows_of_bytes(batch)


def test_the_guide(hub: Hub) -> None:
    assert run_guide("sklearn.md")["model"].n_features_in_ == 64
