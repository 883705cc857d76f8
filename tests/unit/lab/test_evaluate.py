"""A score is held-out only if that is known; leaks are found by id and by bytes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from maruhub.errors import InvalidInput, NoSuchRun, NotHeldOut
from maruhub.lab import Lab, Run, overlap
from maruhub.lab.overlap import match, same_root
from maruhub.loaders import Batches
from maruhub.store.protocol import Store
from tests.unit.lab.fakes import FakeView, make_lab, samples


def trained(lab: Lab, store: Store, view: FakeView, *, batches: int | None = None, **options: object) -> Run:
    """A run that has read a view, whole or some batches of ten."""
    with lab.runs.start(view, name="r", **options) as run:  # type: ignore[arg-type]
        loader = Batches(view, store, 10, seed=1, recorder=run.recorder(view))
        for i, _ in enumerate(loader, 1):
            if i == batches:
                break
        loader.close()
    return run


def test_a_run_that_read_none_of_it_is_held_out(store: Store) -> None:
    lab, catalog = make_lab(store)
    test = FakeView(catalog, samples(100, 150), split="test")
    run = trained(lab, store, FakeView(catalog, samples(0, 100), split="train"))
    score = lab.evaluate(run, test, {"accuracy": 0.9})
    assert score.held_out
    assert (score.verdict, score.leaked, score.why, score.samples) == ("held-out", 0, (), 50)
    assert str(score) == "held-out: accuracy 0.9 on 50 samples of cats@v1 test"
    assert run.scores() == [score]
    assert lab.runs.get(run.id).scores()[0].to_json() == score.to_json()
    assert json.loads(json.dumps(score.to_json())) == score.to_json()
    assert catalog.view(test.digest) is test


def test_a_sample_that_was_read_is_named_and_nothing_is_recorded(store: Store) -> None:
    lab, catalog = make_lab(store)
    run = trained(lab, store, FakeView(catalog, samples(0, 103)))
    test = FakeView(catalog, samples(98, 150))
    with pytest.raises(NotHeldOut) as caught:
        lab.evaluate(run.id, test, {"accuracy": 0.9})
    message = str(caught.value)
    assert "5 of the 52 samples" in message
    assert "b/98 (the same sample), b/99 (the same sample), b/100 (the same sample)." in message
    assert "b/101" not in message
    assert "allow_leak=True" in message
    assert run.scores() == []


def test_the_same_bytes_under_another_name_and_dataset_are_a_leak(store: Store) -> None:
    lab, catalog = make_lab(store)
    copies = [("c/copy.png", b"b 3"), ("c/other.png", b"new")]
    run = trained(lab, store, FakeView(catalog, copies, dataset="dogs"))
    with pytest.raises(NotHeldOut) as caught:
        lab.evaluate(run, FakeView(catalog, samples(0, 10)), {"accuracy": 0.9})
    message = str(caught.value)
    assert "1 of the 10 samples" in message
    assert "1 as the same bytes under another name" in message
    assert "b/3 (the same bytes as c/copy.png)" in message
    assert "group=" in message


def test_an_overwritten_sample_is_still_the_same_sample(store: Store) -> None:
    lab, catalog = make_lab(store)
    run = trained(lab, store, FakeView(catalog, [("b/1", b"first")]))
    with pytest.raises(NotHeldOut, match="the same sample"):
        lab.evaluate(run, FakeView(catalog, [("b/1", b"second")]), {"accuracy": 1})


def test_derived_samples_are_their_parents(store: Store) -> None:
    lab, catalog = make_lab(store)
    run = trained(lab, store, FakeView(catalog, [("b/1#0", b"x"), ("b/2#7", b"y")]))
    with pytest.raises(NotHeldOut, match=r"b/1#5 \(derived from the same sample as b/1#0\)"):
        lab.evaluate(run, FakeView(catalog, [("b/1#5", b"z")]), {"accuracy": 1})
    assert lab.evaluate(run, FakeView(catalog, [("b/3#0", b"z")]), {"accuracy": 1}).held_out


def test_a_leak_may_be_kept_marked(store: Store) -> None:
    lab, catalog = make_lab(store)
    run = trained(lab, store, FakeView(catalog, samples(0, 50)))
    score = lab.evaluate(run, FakeView(catalog, samples(40, 60)), {"accuracy": 0.9}, allow_leak=True)
    assert (score.verdict, score.leaked, score.held_out) == ("leaked", 10, False)
    assert "10 of the 20" in score.why[0]
    assert run.scores() == [score]


def test_only_what_was_handed_out_counts(store: Store) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 100))
    run = trained(lab, store, view, batches=3)
    read = [i for b, _ in zip(Batches(view, store, 10, seed=1), range(3), strict=False) for i in b.ids]
    unread = [s for s in samples(0, 100) if s[0] not in read]
    assert lab.evaluate(run, FakeView(catalog, unread), {"accuracy": 1}).held_out
    with pytest.raises(NotHeldOut, match="30 of the 100"):
        lab.evaluate(run, view, {"accuracy": 1})


def test_without_the_order_a_begun_epoch_counts_as_read(store: Store) -> None:
    lab, catalog = make_lab(store, ordered=False)
    view = FakeView(catalog, samples(0, 100))
    run = trained(lab, store, view, batches=3)
    with pytest.raises(NotHeldOut, match="100 of the 100"):
        lab.evaluate(run, view, {"accuracy": 1})


def test_unshuffled_reading_counts_by_its_rows(store: Store) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 100))
    with lab.runs.start(view, name="r") as run:
        next(Batches(view, store, 10, shuffle=False, recorder=run.recorder(view), prefetch=0))
    assert lab.evaluate(run, FakeView(catalog, samples(10, 100)), {"accuracy": 1}).held_out
    with pytest.raises(NotHeldOut, match="b/9 "):
        lab.evaluate(run, FakeView(catalog, samples(9, 100)), {"accuracy": 1})


def test_a_run_without_a_recorder_is_unverified(store: Store) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 10))
    run = lab.runs.start(view, name="r")
    run.recorder(view)  # made, but nothing was read through it
    list(Batches(view, store, 5))
    score = lab.evaluate(run, FakeView(catalog, samples(50, 60)), {"accuracy": 1})
    assert score.verdict == "unverified"
    assert "recorded no reading" in score.why[0]
    assert not score.held_out


def test_what_ancestors_read_counts(store: Store) -> None:
    lab, catalog = make_lab(store)
    grandparent = trained(lab, store, FakeView(catalog, samples(0, 10)))
    parent = trained(lab, store, FakeView(catalog, samples(10, 20)), parents=[grandparent])
    run = trained(lab, store, FakeView(catalog, samples(20, 30)), parents=[parent.id])
    assert lab.evaluate(run, FakeView(catalog, samples(30, 40)), {"accuracy": 1}).held_out
    with pytest.raises(NotHeldOut, match="b/5"):
        lab.evaluate(run, FakeView(catalog, samples(5, 6)), {"accuracy": 1})


def test_an_unknown_ancestor_makes_it_unverified_and_a_leak_still_leaks(store: Store) -> None:
    lab, catalog = make_lab(store)
    run = trained(lab, store, FakeView(catalog, samples(0, 10)), parents=["resnet50"])
    score = lab.evaluate(run, FakeView(catalog, samples(30, 40)), {"accuracy": 1})
    assert score.verdict == "unverified"
    assert "'resnet50'" in score.why[0]
    with pytest.raises(NotHeldOut):
        lab.evaluate(run, FakeView(catalog, samples(5, 6)), {"accuracy": 1})


def test_a_view_that_is_gone_makes_it_unverified(store: Store) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 10))
    run = trained(lab, store, view)
    del catalog.saved[view.digest]
    assert lab.evaluate(run, FakeView(catalog, samples(30, 40)), {"accuracy": 1}).verdict == "unverified"


def test_validation_reads_count_against_validation_scores_only(store: Store) -> None:
    lab, catalog = make_lab(store)
    train, validation = FakeView(catalog, samples(0, 50)), FakeView(catalog, samples(50, 60))
    with lab.runs.start(train, name="r") as run:
        list(Batches(train, store, 10, recorder=run.recorder(train)))
        list(Batches(validation, store, 10, recorder=run.recorder(validation, purpose="validation")))
    assert lab.evaluate(run, FakeView(catalog, samples(60, 70)), {"accuracy": 1}).held_out
    with pytest.raises(NotHeldOut):
        lab.evaluate(run, validation, {"accuracy": 1})
    assert {claim.purpose for claim in run.reads()} == {"train", "validation"}


def test_blocks_and_chunks_give_the_same_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, catalog = make_lab(store)
    run = trained(lab, store, FakeView(catalog, [*samples(0, 97), ("x/y", b"b 120")]))
    test = FakeView(catalog, samples(90, 130))
    counts = []
    for block, chunk in [(1 << 18, 1 << 16), (7, 5), (1, 1), (40, 3)]:
        monkeypatch.setattr(overlap, "BLOCK", block)
        monkeypatch.setattr(overlap, "CHUNK", chunk)
        counts.append(lab.evaluate(run, test, {"accuracy": 1}, allow_leak=True).leaked)
    assert counts == [8] * 4


def test_refuses_no_metrics_and_no_numbers(store: Store) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 10))
    run = trained(lab, store, view)
    for bad in ({}, {"accuracy": "0.9"}):
        with pytest.raises(InvalidInput):
            lab.evaluate(run, view, bad)
    with pytest.raises(NoSuchRun):
        lab.evaluate("ffffffff", view, {"accuracy": 1})


def test_the_leaderboard_has_each_runs_best_held_out_score(store: Store) -> None:
    lab, catalog = make_lab(store)
    train, test = FakeView(catalog, samples(0, 50)), FakeView(catalog, samples(50, 60))
    runs = [trained(lab, store, train) for _ in range(3)]
    for run, accuracy in zip([*runs, runs[0]], [0.7, 0.9, 0.8, 0.95], strict=True):
        lab.evaluate(run, test, {"accuracy": accuracy, "loss": 1 - accuracy})
    lab.evaluate(runs[2], train, {"accuracy": 1.0}, allow_leak=True)
    board = [(s.run, s.metrics["accuracy"]) for s in lab.runs.leaderboard("accuracy", view=test.digest)]
    assert board == [(runs[0].id, 0.95), (runs[1].id, 0.9), (runs[2].id, 0.8)]
    by_loss = lab.runs.leaderboard("loss", highest=False)
    assert [s.run for s in by_loss] == [r.id for r in runs]
    assert lab.runs.leaderboard("accuracy", held_out=False)[0].run == runs[2].id
    assert lab.runs.leaderboard("f1") == []


def test_match_pairs_each_with_one_partner() -> None:
    mine = np.array([5, 1, 9, 5, 7], dtype=np.uint64)
    theirs = np.array([9, 5, 5, 2], dtype=np.uint64)
    i, j = match(mine, theirs)
    assert i.tolist() == [0, 2, 3]
    assert (mine[i] == theirs[j]).all()
    assert [len(part) for part in match(mine, theirs[:0])] == [0, 0]


def test_one_hash_of_two_samples_is_not_a_leak() -> None:
    assert same_root("b/1#0", "b/1#3#4")
    assert same_root("b/1", "b/1#3")
    assert not same_root("b/1", "b/2")
    assert not same_root("b/1#0", "b/2#0")


def test_no_samples_and_no_finite_number_are_no_score(store: Store) -> None:
    lab, catalog = make_lab(store)
    run = trained(lab, store, FakeView(catalog, samples(0, 20), split="train"))
    with pytest.raises(InvalidInput, match="no samples"):
        lab.evaluate(run, FakeView(catalog, []), {"accuracy": 0.9})
    for value in (float("nan"), float("inf"), -float("inf"), np.float32("nan")):
        with pytest.raises(InvalidInput, match="finite"):
            lab.evaluate(run, FakeView(catalog, samples(20, 30)), {"accuracy": value})
    assert run.scores() == []
