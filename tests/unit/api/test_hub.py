"""The names that users hold us to, over a real pool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import maruhub
from maruhub import api, errors


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    with maruhub.create(tmp_path / "pool", blades=3) as hub:
        hub.bucket("photos").put_many({f"cats/{i:03}.jpg": bytes([i]) * (i + 1) for i in range(100)})
    return tmp_path / "pool"


@pytest.fixture
def hub(pool: Path) -> Iterator[maruhub.Hub]:
    with maruhub.connect(pool) as opened:
        yield opened


def _labels(count: int = 100) -> pa.Table:
    keys = [f"cats/{i:03}.jpg" for i in range(count)]
    return pa.table({"key": keys, "label": ["cat" if i % 2 else "dog" for i in range(count)]})


def test_the_contract_of_names(hub: maruhub.Hub) -> None:
    photos = hub.bucket("photos")
    photos["cats/1.jpg"] = b"data"
    assert photos.get_many(["cats/1.jpg"])[0] == b"data"
    assert len(list(photos.list(prefix="cats/"))) == 101
    v = hub.dataset("cats").commit("photos/cats/")
    assert isinstance(v.table(), pa.Table)
    hub.dataset("cats").label(_labels())
    v = hub.dataset("cats").latest
    train = v.split("train")
    small = train.where("label = 'cat'").sample(20, seed=1)
    assert 0 < len(small) <= 20
    batches = train.batches(64, seed=7, rank=0, world=1)
    batch = next(iter(batches))
    assert (
        batch.columns["label"].to_pylist().count("cat") + batch.columns["label"].to_pylist().count("dog") > 0
    )
    assert all(isinstance(blob, memoryview) for blob in batch.blobs)
    state = json.loads(json.dumps(batches.state_dict()))
    again = train.batches(64, seed=7)
    again.load_state_dict(state)
    assert sorted(batch.ids + [i for b in again for i in b.ids]) == sorted(train.ids())
    assert hub.dataset("cats").latest.digest == hub.dataset("cats")["v2"].digest
    assert hub.version("cats@v1").name == "v1"
    assert hub.version("cats").name == hub.version("cats@latest").name == "v2"
    assert [dataset.name for dataset in hub.datasets()] == ["cats"]


def test_a_view_is_kept_and_opened_again(hub: maruhub.Hub) -> None:
    version = hub.dataset("cats").commit("photos/cats/")
    some = version.sample(10, seed=3).save()
    assert hub.view(some.digest).ids() == some.ids()
    assert next(iter(hub.view(some.digest).batches(10))).ids


def test_a_recorded_run_makes_an_honest_score(hub: maruhub.Hub) -> None:
    version = hub.dataset("cats").commit("photos/cats/")
    train, test = version.split("train"), version.split("test")
    with hub.run(train, name="good", parameters={"lr": 0.1}, seed=7) as run:
        assert sum(len(batch) for batch in train.batches(16, seed=7, run=run)) == len(train)
        run.log(0, loss=0.5)
    assert run.state == "finished"
    assert hub.evaluate(run, test, {"accuracy": 0.9}).held_out
    with hub.run(train, name="untold") as untold:
        list(train.batches(16))
    assert hub.evaluate(untold, test, {"accuracy": 0.9}).verdict == "unverified"
    with hub.run(version, name="peeking") as peeking:
        list(version.batches(16, run=peeking))
    with pytest.raises(errors.NotHeldOut):
        hub.evaluate(peeking.id, test, {"accuracy": 1.0})
    assert hub.evaluate(peeking, test, {"accuracy": 1.0}, allow_leak=True).verdict == "leaked"
    assert {one.name for one in hub.runs.all()} == {"good", "untold", "peeking"}


def test_only_what_was_read_counts_as_read(hub: maruhub.Hub) -> None:
    """An epoch that was left early has not seen its rest: the lab knows the loader's order."""
    version = hub.dataset("cats").commit("photos/cats/")
    with hub.run(version, name="a little") as run:
        batch = next(iter(version.batches(10, seed=5, run=run)))
    ids = version.ids()
    rest = version.select([row for row, name in enumerate(ids) if name not in batch.ids])
    assert hub.evaluate(run, rest, {"accuracy": 0.5}).held_out
    with pytest.raises(errors.NotHeldOut):
        hub.evaluate(run, version, {"accuracy": 0.5})


def test_ingest_leaves_the_hub_itself_out(hub: maruhub.Hub, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    report = hub.ingest(tmp_path, "all/here")
    assert (report.stored, report.refused) == (1, ())
    assert list(hub.bucket("all")) == ["here/a.txt"]
    assert hub.sql("select 1 as one").to_pylist() == [{"one": 1}]


def test_blades_are_named_or_counted(tmp_path: Path) -> None:
    with maruhub.create(tmp_path / "one") as hub:
        assert len(hub.status().blades) == 1
    with maruhub.create(tmp_path / "two", blades=[tmp_path / "a", tmp_path / "b"]) as hub:
        assert len(hub.status().blades) == 2
        hub.bucket("x-bucket")["k"] = b"v"
    with pytest.raises(errors.AlreadyExists):
        maruhub.create(tmp_path / "two")
    (tmp_path / "two").rename(tmp_path / "gone")
    with api.adopt(tmp_path / "again", [tmp_path / "a", tmp_path / "b"]) as hub:
        assert hub.bucket("x-bucket")["k"] == b"v"
        assert hub.check().ok


def test_a_hub_is_found_from_below(pool: Path, tmp_path: Path) -> None:
    assert api.find_hub(pool / "blades" / "0") == pool
    with pytest.raises(errors.NoSuchHub, match="MARU_HUB"):
        api.find_hub(tmp_path)
    with pytest.raises(errors.NoSuchHub):
        maruhub.connect(tmp_path / "nowhere")


def test_views_outlive_the_hub(pool: Path) -> None:
    with maruhub.connect(pool) as hub:
        view = hub.bucket("photos")["cats/099.jpg"]
    assert view == bytes([99]) * 100


def test_names_that_are_not_there() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        maruhub.nonsense  # noqa: B018
    assert {"connect", "create", "Hub", "errors"} <= set(dir(maruhub))
