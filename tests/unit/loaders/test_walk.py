"""What a walk plans is what the loader would hand out; it counts once the trainer has it."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from maruhub.errors import Corrupt, InvalidInput, MaruError
from maruhub.loaders import Batches, decoders
from maruhub.loaders.plan import Place
from maruhub.loaders.walk import Planned, read_planned
from maruhub.store.protocol import Store
from tests.unit.loaders.sources import Rows, StoredSource

PAYLOADS = [f"sample {i}".encode() for i in range(101)]


class Readable(StoredSource):
    """A source that reads by rows, as a view does; some can't be read."""

    bad: frozenset[int] = frozenset()

    def __init__(self, store: Store) -> None:
        super().__init__(store, PAYLOADS)
        self.store = store

    def read_many(self, rows: Rows, *, announce: bool = True) -> list[memoryview | MaruError]:
        read = self.store.read_many(self.blobs(rows), verify=True)
        return [
            Corrupt("rot") if row in self.bad else each for row, each in zip(rows.tolist(), read, strict=True)
        ]


@pytest.fixture
def source(store: Store) -> Readable:
    return Readable(store)


@pytest.mark.parametrize(
    "options", [{}, {"rank": 1, "world": 3}, {"shuffle": False}, {"remainder": "pad", "rank": 2, "world": 3}]
)
def test_it_plans_what_iterating_hands_out(source: Readable, options: dict[str, Any]) -> None:
    there = Batches(source, source.store, 8, seed=3, prefetch=0, epochs=2, **options)
    here = Batches(source, source.store, 8, seed=3, prefetch=0, epochs=2, **options)
    walk = there.walk()
    for planned, batch in zip(walk, here, strict=True):
        read = read_planned(source, pickle.loads(pickle.dumps(planned))).batch
        assert (read.ids, read.epoch, read.step, read.padding) == (
            batch.ids,
            batch.epoch,
            batch.step,
            batch.padding,
        )
        assert list(map(bytes, read.blobs)) == list(map(bytes, batch.blobs))
        assert read.columns == batch.columns
        there.consumed(planned.step.after, samples=len(read))
        assert there.state_dict() == here.state_dict()
    assert walk.end is not None
    there.consumed(walk.end)
    assert there.state_dict() == here.state_dict()
    assert there.stats().samples == here.stats().samples


def test_what_was_planned_does_not_count(source: Readable) -> None:
    batches = Batches(source, source.store, 8, seed=3, prefetch=0)
    planned: list[Planned] = list(batches.walk())
    assert batches.state_dict()["position"] == 0
    batches.consumed(planned[2].step.after)
    assert batches.state_dict()["position"] == 24
    rest = np.concatenate([each.rows for each in batches.walk()])
    assert rest.tolist() == np.concatenate([each.rows for each in planned[3:]]).tolist()
    assert len(list(batches)) == len(planned) - 3


def test_any_piece_of_an_epoch_is_planned_alone(source: Readable) -> None:
    batches = Batches(source, source.store, 8, seed=3, rank=1, world=2, prefetch=0)
    whole = [row for batch in Batches(source, source.store, 8, seed=3, prefetch=0) for row in batch.positions]
    assert batches.samples_an_epoch == 101
    for start, stop in ((0, 101), (0, 1), (13, 57), (100, 101)):
        planned = batches.planned(0, start, stop)
        assert planned.rows.tolist() == whole[start:stop]
        assert planned.step.after == (Place(0, stop) if stop < 101 else Place(1, 0))
        assert len(read_planned(source, planned).batch) == stop - start
    assert batches.planned(1, 0, 101).rows.tolist() != whole
    for start, stop in ((0, 0), (5, 4), (0, 102), (-1, 3)):
        with pytest.raises(InvalidInput, match="101"):
            batches.planned(0, start, stop)
    assert batches.state_dict()["position"] == 0


def test_it_may_never_end(source: Readable) -> None:
    walk = Batches(source, source.store, 64, epochs=None, prefetch=0).walk()
    assert walk.end is None
    epochs = [planned.step.epoch for planned, _ in zip(walk, range(5), strict=False)]
    assert epochs == [0, 0, 1, 1, 2]


def test_bad_samples_are_raised_or_listed_as_when_iterating(source: Readable) -> None:
    source.bad = frozenset({7})
    with pytest.raises(Corrupt, match="b/7"):
        [read_planned(source, each) for each in Batches(source, source.store, 101, prefetch=0).walk()]
    batches = Batches(source, source.store, 101, on_error="skip", prefetch=0)
    planned = next(iter(batches.walk()))
    ready = read_planned(source, planned)
    assert len(ready.batch) == 100
    batches.consumed(Place(1, 0), samples=100, skipped=ready.skipped)
    assert [each.id for each in batches.skipped] == ["b/7"]
    assert batches.stats().skipped == 1


def test_a_run_counts_what_was_planned(source: Readable) -> None:
    told: list[tuple[int, int]] = []

    class Recorder:
        def reads(self, view_digest: str, epoch: int, seed: int | None, start: int, stop: int) -> None:
            told.append((start, stop))

    walk = iter(Batches(source, source.store, 8, prefetch=0, recorder=Recorder()).walk())
    next(walk)
    assert told == [(0, 8)]
    next(walk)
    assert told == [(0, 8), (8, 16)]


def test_a_planned_batch_is_decoded_where_it_is_read(source: Readable) -> None:
    batches = Batches(source, source.store, 6, decode=decoders.Text(), transform=str.upper, prefetch=0)
    walked = [pickle.loads(pickle.dumps(planned)) for planned in batches.walk()]
    assert [read_planned(source, planned).batch.values for planned in walked] == [
        batch.values for batch in batches
    ]
    assert walked[0].decoding is not None
    assert next(iter(Batches(source, source.store, 6).walk())).decoding is None
