"""Runs and held-out scores, wherever the hub is: the same suite over a local and a remote one."""

from __future__ import annotations

import math
import os
import signal
from typing import Any

import pytest

from maruhub import errors

DATA = {f"{i:03}.jpg": f"bytes {i}".encode() for i in range(80)}


@pytest.fixture
def version(served: Any, hub: Any) -> Any:
    served.local.bucket("photos").put_many(DATA)
    served.local.dataset("cats").commit("photos")
    served.local.version("cats@v1").split("train", (0.5, 0.25, 0.25))
    return hub.version("cats@v1")


def train(hub: Any, view: Any, *, batches: int, **about: Any) -> Any:
    with hub.run(view, name="small", **about) as run:
        loader = view.batches(8, seed=3, run=run)
        for step in range(batches):
            next(loader)
            run.log(step, loss=1 / (step + 1))
        loader.close()
    return run


def test_a_run_says_what_it_used_and_reached(hub: Any, version: Any, served: Any) -> None:
    view = version.split("train")
    run = train(hub, view, batches=2, code="abc", parameters={"rate": 0.1}, seed=3)
    info = run.info
    assert (info.state, info.name, info.code, info.parameters, info.seed) == (
        "finished", "small", "abc", {"rate": 0.1}, 3,
    )  # fmt: skip
    assert (info.dataset, info.version, info.split, info.samples) == ("cats", "v1", "train", len(view))
    assert run.metrics() == {"loss": [(0, 1.0), (1, 0.5)]}
    claim = run.reads()[0]
    assert (claim.view, claim.exact, claim.reads.samples()) == (view.digest, True, 16)
    # It is one run, whichever way it is looked at.
    there = served.local.runs.get(run.id)
    assert there.to_json() == run.to_json()
    assert [each.id for each in hub.runs.all()] == [each.id for each in served.local.runs.all()] == [run.id]
    assert hub.runs.get(run.id[:16]).id == run.id


def test_a_score_is_held_out_only_for_who_has_not_read(hub: Any, version: Any) -> None:
    run = train(hub, version.split("train"), batches=2)
    score = hub.evaluate(run, version.split("test"), {"accuracy": 0.9})
    assert (score.verdict, score.samples, score.metrics) == (
        "held-out",
        len(version.split("test")),
        {"accuracy": 0.9},
    )
    cheat = train(hub, version, batches=10)
    with pytest.raises(errors.NotHeldOut, match="has read"):
        hub.evaluate(cheat.id, version.split("test"), {"accuracy": 1.0})
    assert cheat.scores() == []
    kept = hub.evaluate(cheat, version.split("test"), {"accuracy": 1.0}, allow_leak=True)
    assert kept.verdict == "leaked"
    assert kept.leaked == len(version.split("test"))
    assert [each.run for each in hub.runs.leaderboard("accuracy")] == [run.id]
    assert [each.run for each in hub.runs.leaderboard("accuracy", held_out=False)] == [cheat.id, run.id]
    assert cheat.scores() == [kept]


def test_what_the_parents_have_read_counts(hub: Any, version: Any) -> None:
    parent = train(hub, version, batches=10)
    child = train(hub, version.split("train"), batches=1, parents=[parent])
    with pytest.raises(errors.NotHeldOut):
        hub.evaluate(child, version.split("test"), {"accuracy": 1.0})
    stranger = train(hub, version.split("train"), batches=1, parents=["resnet50-imagenet"])
    assert hub.evaluate(stranger, version.split("test"), {"accuracy": 1.0}).verdict == "unverified"


def test_a_run_that_is_killed_has_claimed_what_it_read(hub: Any, version: Any, served: Any) -> None:
    view = version.split("train")
    run = hub.run(view, name="killed")
    child = os.fork()
    if not child:
        loader = view.batches(8, seed=3, run=run)
        next(loader)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    claims = served.local.runs.get(run.id).reads()
    assert sum(claim.reads.samples() for claim in claims) >= 8
    assert not any(claim.exact for claim in claims)
    with pytest.raises(errors.NotHeldOut):
        hub.evaluate(run, view, {"accuracy": 1.0})
    run.finish("abandoned")
    assert run.state == "abandoned"


def test_a_run_that_fails_says_why(hub: Any, version: Any) -> None:
    run = hub.run(version, name="failing")

    def fail() -> None:
        with run:
            run.log(0, loss=math.nan)
            raise ZeroDivisionError("no batch")

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (run.state, run.info.reason) == ("failed", "ZeroDivisionError: no batch")
    assert math.isnan(run.metrics()["loss"][0][1])


def test_what_is_wrong_is_told_before_anything_is_written(hub: Any, version: Any) -> None:
    for about in ({"parents": "a-run"}, {"seed": "x"}, {"parameters": 3}, {"wrong": 1}):
        with pytest.raises((errors.InvalidInput, TypeError)):
            hub.run(version, name="r", **about)
    for name in ("", "a\nb", 3):
        with pytest.raises(errors.InvalidInput):
            hub.run(version, name=name)
    for view in (None, "cats@v1"):
        with pytest.raises(errors.InvalidInput, match="view"):
            hub.run(view, name="r")
    with pytest.raises(errors.NoSuchRun):
        hub.runs.get("0123456789")
    with pytest.raises(errors.NoSuchRun):
        version.batches(8, run="0123456789")
    assert list(hub.runs.all()) == []
    run = hub.run(version, name="r")
    for metrics in ({}, {"accuracy": math.inf}, {"accuracy": "high"}):
        with pytest.raises(errors.InvalidInput):
            hub.evaluate(run, version, metrics)
