"""The lab and the loader over the real catalog: saved views, splits, duplicates, late files."""

from __future__ import annotations

import pytest

from maruhub.catalog import Catalog, Version
from maruhub.errors import NotHeldOut, StateMismatch
from maruhub.lab import Lab, Run
from maruhub.loaders import Batches
from maruhub.loaders.order import positions_of
from maruhub.namespace import Namespace, PutItem
from maruhub.store.protocol import Store


def digits(ns: Namespace, start: int, stop: int, *, same_bytes: bool = False) -> None:
    items = [
        PutItem(key=f"d/{i}.png", data=b"twin" if same_bytes else f"image {i}".encode())
        for i in range(start, stop)
    ]
    ns.objects.put_many("photos", items, create_bucket=True)


@pytest.fixture
def version(store: Store) -> Version:
    ns = Namespace(store, actor="me@here")
    digits(ns, 0, 400)
    return Catalog(ns).dataset("digits").commit("photos/d/")


@pytest.fixture
def lab(store: Store) -> Lab:
    ns = Namespace(store, actor="me@here")
    return Lab(Catalog(ns), ns, order=positions_of)


def trained(lab: Lab, store: Store, view: object) -> Run:
    with lab.runs.start(view, name="digits", seed=2) as run:  # type: ignore[arg-type]
        for _ in Batches(view, store, 32, seed=2, recorder=run.recorder(view)):  # type: ignore[arg-type]
            pass
    return run


def test_a_split_read_from_the_hub_is_held_out_and_the_other_is_not(
    store: Store, lab: Lab, version: Version
) -> None:
    run = trained(lab, store, version.split("train"))
    score = lab.evaluate(run, version.split("test"), {"accuracy": 0.97})
    assert score.held_out
    assert (score.address, score.split, score.samples) == ("digits@v1", "test", len(version.split("test")))
    with pytest.raises(NotHeldOut, match=r"photos/d/\d+\.png \(the same sample\)"):
        lab.evaluate(run, version.split("train").sample(20, 1), {"accuracy": 1.0})


def test_an_exploring_run_has_read_only_its_subset(store: Store, lab: Lab, version: Version) -> None:
    small = version.split("train").sample(50, 1)
    run = trained(lab, store, small)
    seen = set(small.ids())
    rest = version.select([i for i, name in enumerate(version.ids()) if name not in seen])
    assert lab.evaluate(run, rest, {"accuracy": 0.8}).held_out
    with pytest.raises(NotHeldOut, match="50 of the 400"):
        lab.evaluate(run, version, {"accuracy": 0.8})


def test_duplicates_across_splits_are_found_in_a_later_version_too(
    store: Store, lab: Lab, version: Version
) -> None:
    ns = Namespace(store)
    digits(ns, 400, 500, same_bytes=True)
    later = Catalog(ns).dataset("digits").commit("photos/d/")
    run = trained(lab, store, later.split("train"))
    with pytest.raises(NotHeldOut, match="same bytes under another name"):
        lab.evaluate(run, later.split("test"), {"accuracy": 0.97})
    # The first version's test split holds none of the twins, and inherits its side.
    assert lab.evaluate(run, version.split("test"), {"accuracy": 0.97}).held_out


def test_a_state_goes_on_in_the_same_view_only(store: Store, lab: Lab, version: Version) -> None:
    train = version.split("train")
    whole = [name for batch in Batches(train, store, 32, seed=2) for name in batch.ids]
    batches = Batches(train, store, 32, seed=2)
    first = next(batches)
    state = batches.state_dict()
    batches.close()
    train.save()
    again = Batches(Catalog(Namespace(store)).view(state["source"]), store, 7, seed=2)
    again.load_state_dict(state)
    assert first.ids + [name for batch in again for name in batch.ids] == whole
    with pytest.raises(StateMismatch):
        Batches(version.split("test"), store, 7, seed=2).load_state_dict(state)


def test_batches_carry_the_bytes_that_were_put(store: Store, version: Version) -> None:
    for batch in Batches(version, store, 64):
        expected = [f"image {name.split('/')[-1][:-4]}".encode() for name in batch.ids]
        assert [bytes(blob) for blob in batch.blobs] == expected
        assert batch.columns.num_rows == len(batch)


def test_a_dropped_version_leaves_a_run_unverified(store: Store, lab: Lab, version: Version) -> None:
    run = trained(lab, store, version.split("train"))
    ns = Namespace(store)
    digits(ns, 400, 420)
    later = Catalog(ns).dataset("digits").commit("photos/d/")
    Catalog(ns).dataset("digits").drop("v1")
    score = lab.evaluate(run, later.split("test"), {"accuracy": 0.97})
    assert score.verdict == "unverified"
    assert "not in the catalog any more" in score.why[0]
