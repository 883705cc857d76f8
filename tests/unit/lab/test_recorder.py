"""A claim is durable before its samples are out, never too small, and cheap."""

from __future__ import annotations

import os
import time
from itertools import islice

import pytest

from maruhub.errors import InvalidInput, NoSuchRun, Unavailable
from maruhub.lab.ledger import StoreLedger
from maruhub.lab.reads import Span
from maruhub.lab.recorder import RunRecorder
from maruhub.loaders import Batches
from maruhub.store.protocol import Change, Store, T
from maruhub.testing.memory_store import MemoryStore
from tests.unit.lab.fakes import FakeView, make_lab, samples


class CountingStore(MemoryStore):
    """Counts commits."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0

    def commit(self, change: Change[T], *, actor: str = "", request: bytes = b"") -> T:
        self.commits += 1
        return super().commit(change, actor=actor, request=request)


def test_a_killed_run_leaves_a_claim_of_at_least_what_it_read(store: Store) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 1000))
    run = lab.runs.start(view, name="r", seed=3)
    batches = Batches(view, store, 10, seed=3, recorder=run.recorder(view))
    for handed_out in range(1, 40):
        next(batches)
        (claim,) = lab.runs.get(run.id).reads()  # as another process sees it, were this one killed
        assert claim.reads.covers(3, 0, 0, handed_out * 10)
        assert not claim.exact
    batches.close()


def test_a_finished_run_has_exactly_what_it_read(store: Store) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 105))
    with lab.runs.start(view, name="r") as run:
        batches = Batches(view, store, 10, seed=3, recorder=run.recorder(view))
        list(batches)
        list(islice(batches, 2))
        batches.close()
    (claim,) = run.reads()
    assert claim.exact
    assert claim.reads.spans() == [Span(3, 0, 0, 0, 105), Span(3, 1, 1, 0, 20)]


def test_reading_on_after_the_end_is_claimed_again(store: Store) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 100))
    run = lab.runs.start(view, name="r")
    recorder = run.recorder(view)
    recorder.reads(view.digest, 0, 1, 0, 10)
    run.finish()
    recorder.reads(view.digest, 0, 1, 50, 60)
    (claim,) = run.reads()
    assert claim.reads.covers(1, 0, 0, 10)
    assert claim.reads.covers(1, 0, 50, 60)


def test_recording_costs_few_commits_however_small_the_view() -> None:
    store = CountingStore()
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 64))
    run = lab.runs.start(view, name="r")
    recorder = run.recorder(view)
    before = store.commits
    for epoch in range(500):
        for start in range(0, 64, 8):
            recorder.reads(view.digest, epoch, 1, start, start + 8)
    assert store.commits - before < 30
    recorder.close()
    assert run.reads()[0].reads.spans() == [Span(1, 0, 499, 0, 64)]


def test_a_batch_within_the_claim_costs_microseconds(store: Store) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 10))
    run = lab.runs.start(view, name="r")
    recorder = RunRecorder(StoreLedger(store), run.id, digest="d", size=10_000_000)
    recorder.reads("d", 0, 1, 0, 64)
    start = time.perf_counter()
    for at in range(64, 6400 * 64, 64):
        recorder.reads("d", 0, 1, at, at + 64)
    assert (time.perf_counter() - start) / 6400 < 50e-6


def test_what_cannot_be_recorded_is_not_handed_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 100))
    run = lab.runs.start(view, name="r")
    batches = Batches(view, store, 10, recorder=run.recorder(view))

    def full(*args: object, **options: object) -> None:
        raise Unavailable("the hub is full")

    with monkeypatch.context() as patch:
        patch.setattr(store, "commit", full)
        with pytest.raises(Unavailable):
            next(batches)
    assert batches.state_dict()["position"] == 0
    assert len(next(batches)) == 10
    assert run.reads()[0].reads.covers(0, 0, 0, 10)
    batches.close()


def test_a_recorder_is_for_one_view_and_one_run(store: Store) -> None:
    lab, catalog = make_lab(store)
    view, other = FakeView(catalog, samples(0, 10)), FakeView(catalog, samples(5, 20))
    recorder = lab.runs.start(view, name="r").recorder(view)
    with pytest.raises(InvalidInput, match=other.digest):
        next(Batches(other, store, 4, recorder=recorder))
    with pytest.raises(NoSuchRun):
        RunRecorder(StoreLedger(store), "gone", digest="d", size=4).reads("d", 0, 0, 0, 4)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_never_trims_what_its_parent_claimed(store: Store) -> None:
    lab, catalog = make_lab(store)
    view = FakeView(catalog, samples(0, 100))
    run = lab.runs.start(view, name="r")
    recorder = run.recorder(view)
    recorder.reads(view.digest, 0, 1, 0, 10)
    pid = os.fork()
    if pid == 0:
        recorder.close()
        kept = len(run.reads()) == 1 and not run.reads()[0].exact
        recorder.reads(view.digest, 0, 1, 10, 20)
        os._exit(0 if kept and len(run.reads()) == 2 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_claims_start_small_on_a_large_view(store: Store) -> None:
    lab, catalog = make_lab(store)
    run = lab.runs.start(FakeView(catalog, samples(0, 10)), name="r")
    RunRecorder(StoreLedger(store), run.id, digest="d", size=10_000_000).reads("d", 2, 1, 64, 128)
    assert run.reads()[0].reads.spans() == [Span(1, 2, 2, 64, 64 + 625_000)]
