"""Runs keep what they used and reached; metrics are many and rows few."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from maruhub.errors import InvalidInput, NoSuchRun, Refused
from maruhub.lab import metrics as metrics_module
from maruhub.lab.code import source_commit
from maruhub.lab.row import METRICS
from maruhub.store.protocol import Store, prefix_end
from tests.unit.lab.fakes import FakeView, make_lab, samples


def test_a_run_keeps_what_it_used(store: Store) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 10), split="train")
    parameters = {"lr": 0.1, "layers": [3, 4], "이름": "값"}
    run = lab.runs.start(view, name="first", code="git:abc", parameters=parameters, seed=7)
    info = lab.runs.get(run.id).info
    assert (info.name, info.code, info.parameters, info.seed) == ("first", "git:abc", parameters, 7)
    assert (info.dataset, info.version, info.split, info.samples) == ("cats", "v1", "train", 10)
    assert (info.view, info.actor, info.state, info.finished_us) == (view.digest, "me@here", "running", 0)
    assert catalog.view(view.digest) is view
    run.finish()
    assert run.state == "finished"
    assert run.info.finished_us >= run.info.started_us
    run.finish("failed")
    assert run.state == "finished"
    shown = run.to_json()
    assert json.loads(json.dumps(shown)) == shown
    assert (shown["id"], shown["version"], shown["state"]) == (run.id, "cats@v1", "finished")


def test_a_run_that_raises_has_failed_and_says_why(store: Store) -> None:
    lab, catalog = make_lab(store)
    run = lab.runs.start(FakeView(catalog, samples(0, 3)), name="x")

    def train() -> None:
        with run:
            run.log(0, loss=1)
            raise ZeroDivisionError("no samples")

    with pytest.raises(ZeroDivisionError):
        train()
    assert run.state == "failed"
    assert run.info.reason == "ZeroDivisionError: no samples"
    assert run.metrics() == {"loss": [(0, 1.0)]}


def test_runs_are_found_by_the_beginning_of_their_id(store: Store) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 3))
    runs = [lab.runs.start(view, name=f"r{i}") for i in range(3)]
    assert {run.id for run in lab.runs.all()} == {run.id for run in runs} == {r.id for r in lab.runs.list()}
    assert lab.runs.get(runs[1].id).name == "r1"
    assert lab.runs.get(runs[1].id[:-1]).name == "r1"
    with pytest.raises(InvalidInput, match="several"):
        lab.runs.get(runs[0].id[:4])
    for unknown in ("ffffffffffff", "", "0", "zz\udc80zz", "../../x"):
        with pytest.raises(NoSuchRun):
            lab.runs.get(unknown)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 300])
def test_refuses_bad_names(store: Store, name: str) -> None:
    lab, catalog = make_lab(store)
    with pytest.raises(InvalidInput, match="name"):
        lab.runs.start(FakeView(catalog, samples(0, 3)), name=name)


def test_refuses_parameters_that_cannot_be_kept(store: Store) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 3))
    for bad in ({"f": object()}, {"f": math.nan}, {"f": b"x"}):
        with pytest.raises(InvalidInput):
            lab.runs.start(view, name="r", parameters=bad)
    with pytest.raises(Refused, match="larger"):
        lab.runs.start(view, name="r", parameters={"f": "x" * 300_000})
    with pytest.raises(InvalidInput, match="end as"):
        lab.runs.start(view, name="r").finish("done")


def test_metrics_are_written_in_chunks_and_read_back(store: Store) -> None:
    lab, catalog = make_lab(store)
    run = lab.runs.start(FakeView(catalog, samples(0, 3)), name="r")
    for step in range(1000):
        run.log(step, loss=1 / (step + 1))
    run.log(1000, loss=math.nan, accuracy=math.inf)
    assert len(store.scan(METRICS, prefix_end(METRICS), 100)) <= 4
    series = run.metrics()
    assert [step for step, _ in series["loss"]] == list(range(1001))
    assert series["loss"][9] == (9, 0.1)
    assert math.isnan(series["loss"][-1][1])
    assert series["accuracy"] == [(1000, math.inf)]
    for bad in ("0.5", None, [1]):
        with pytest.raises(InvalidInput, match="loss"):
            run.log(1, loss=bad)


def test_endless_metrics_are_thinned_not_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "POINTS_MAX", 100)
    lab, catalog = make_lab(store)
    run = lab.runs.start(FakeView(catalog, samples(0, 3)), name="r")
    for step in range(1000):
        run.log(step, loss=step)
    kept = [step for step, _ in run.metrics()["loss"]]
    assert kept[:100] == list(range(100))
    assert kept[100:110] == list(range(100, 120, 2))
    assert len(kept) < 220


def test_the_code_is_the_folders_commit_when_nobody_says(tmp_path: Path) -> None:
    assert source_commit(tmp_path / "none") == ""
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (tmp_path / "a/b").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert source_commit(tmp_path) == ""
    (git / "packed-refs").write_text(f"# pack-refs\n{'1' * 40} refs/heads/main\n")
    assert source_commit(tmp_path / "a/b") == "git:" + "1" * 40
    (git / "refs/heads/main").write_text("2" * 40 + "\n")
    assert source_commit(tmp_path) == "git:" + "2" * 40
    (git / "HEAD").write_text("3" * 40)
    assert source_commit(tmp_path) == "git:" + "3" * 40
    (git / "HEAD").write_text("ref: ../../etc/passwd")
    assert source_commit(tmp_path) == ""
