"""What one process found and another takes: the loader's own batches, whatever happened between the two."""

from __future__ import annotations

import mmap
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import maruhub
from maruhub.adapters.arrays import as_arrays
from maruhub.adapters.finding import Finding, find, take
from maruhub.errors import Corrupt, NotFound
from maruhub.loaders.walk import Planned

PAYLOADS = {f"{i:03}": f"sample {i:03} ".encode() * (i + 300) for i in range(40)}


@pytest.fixture
def view(tmp_path: Path) -> Iterator[Any]:
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        hub.bucket("raw").put_many(PAYLOADS)
        dataset = hub.dataset("d")
        ids = dataset.commit("raw").ids()
        labels = {"id": ids, "n": list(range(len(ids))), "text": [f"t{i}" for i in range(len(ids))]}
        yield dataset.label(pa.table(labels)).version


def planned_of(view: Any, **options: Any) -> list[Planned]:
    return list(view.batches(8, seed=3, **options).walk())


def crossed(found: list[Finding | None]) -> list[Finding | None]:
    copy: list[Finding | None] = pickle.loads(pickle.dumps(found))
    return copy


def rot(folder: Path, number: int) -> None:
    """Changes a byte of a sample where it lies."""
    payload = PAYLOADS[f"{number:03}"]
    for path in (each for each in folder.rglob("*") if each.is_file() and each.stat().st_size > len(payload)):
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
            at = mapped.find(payload)
            while at >= 0:
                mapped[at + 7] ^= 1
                at = mapped.find(payload)


class Elsewhere:
    """A view of which some rows' bytes lie in no mapping, or can't be had."""

    def __init__(self, view: Any, rows: set[int], bad: frozenset[int] | set[int] = frozenset()) -> None:
        self._view, self._rows, self._bad = view, rows, bad
        self.ids, self.columns = view.ids, view.columns

    def read_many(self, rows: Any, *, announce: bool = True) -> list[Any]:
        parts = self._view.read_many(rows, announce=announce)
        for i, row in enumerate(rows.tolist()):
            if row in self._bad:
                parts[i] = Corrupt("rot")
            elif row in self._rows:
                parts[i] = memoryview(bytes(parts[i]))
        return list(parts)


def same(arrays: dict[str, Any], batch: Any) -> None:
    expected = as_arrays(batch)
    assert arrays.keys() == expected.keys()
    for name, value in expected.items():
        assert np.array_equal(arrays[name], value), name


@pytest.mark.parametrize("elsewhere", [set(), {3, 4, 30}, set(range(40))])
def test_what_is_taken_is_the_loader_s_batch(view: Any, elsewhere: set[int]) -> None:
    planned = planned_of(view)
    found = crossed(find(Elsewhere(view, elsewhere), planned))
    for each, finding, batch in zip(planned, found, view.batches(8, seed=3), strict=True):
        assert finding is not None
        assert {int(finding.rows[i]) for i in finding.carried} == elsewhere & set(batch.positions.tolist())
        taken = take(view, each, finding)
        same(taken.arrays, batch)
        assert (taken.samples, taken.size_bytes) == (8, sum(map(len, batch.blobs)))
        assert taken.skipped == ()


def test_a_mix_of_views_is_found_and_taken(tmp_path: Path) -> None:
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        for name in ("one", "two"):
            hub.bucket(f"{name}-raw").put_many({f"{name}{key}": data for key, data in PAYLOADS.items()})
            hub.dataset(name).commit(f"{name}-raw")
        mix = hub.mix([hub.version("one"), hub.version("two")], [3, 1])
        planned = planned_of(mix, samples_per_epoch=48)
        batches = mix.batches(8, seed=3, samples_per_epoch=48)
        for each, finding, batch in zip(planned, find(mix, planned), batches, strict=True):
            assert finding is not None
            assert not finding.carried
            same(take(mix, each, finding).arrays, batch)


def test_no_byte_in_a_mapping_crosses(view: Any) -> None:
    found = find(view, planned_of(view))
    assert len(pickle.dumps(found)) < min(map(len, PAYLOADS.values())) * 4


def test_bytes_that_rotted_since_are_found_by_whoever_takes_them(view: Any, tmp_path: Path) -> None:
    for policy, left in (("raise", None), ("skip", 39)):
        planned = planned_of(view, on_error=policy)
        found = find(view, planned)
        assert all(each is not None for each in found)
        number = 5 if policy == "raise" else 6
        rot(tmp_path / "hub", number)
        if left is None:
            with pytest.raises(Corrupt, match=f"sample raw/{number:03}"):
                [take(view, *each) for each in zip(planned, found, strict=True)]
            continue
        taken = [take(view, *each) for each in zip(planned, found, strict=True)]
        ids = [name for each in taken for name in each.arrays["ids"]]
        assert sorted(each.id for batch in taken for each in batch.skipped) == ["raw/005", "raw/006"]
        assert sorted(ids) == sorted(set(view.ids()) - {"raw/005", "raw/006"})


def test_what_a_worker_can_t_have_is_refused_by_whoever_takes_it(view: Any) -> None:
    planned = planned_of(view)
    found = find(Elsewhere(view, set(), bad={5}), planned)
    assert sum(each is None for each in found) == 1
    assert sum(take(view, *each).samples for each in zip(planned, found, strict=True)) == 40
    with pytest.raises(Corrupt, match="sample raw/005"):
        [take(Elsewhere(view, set(), bad={5}), *each) for each in zip(planned, found, strict=True)]


@pytest.mark.parametrize(("policy", "samples"), [("skip", 39), ("substitute", 40)])
def test_what_is_passed_over_is_listed(view: Any, policy: str, samples: int) -> None:
    planned = planned_of(view, on_error=policy)
    found = crossed(find(Elsewhere(view, set(), bad={5}), planned))
    taken = [take(view, *each) for each in zip(planned, found, strict=True)]
    assert sum(each.samples for each in taken) == samples
    assert [each.id for batch in taken for each in batch.skipped] == ["raw/005"]
    assert all(b"sample 005" not in each.arrays["data"].tobytes() for each in taken)


def test_a_hub_that_is_gone_is_an_error_and_no_batch(view: Any) -> None:
    class Gone(Elsewhere):
        def read_many(self, rows: Any, *, announce: bool = True) -> list[Any]:
            raise NotFound("gone")

    with pytest.raises(NotFound):
        find(Gone(view, set()), planned_of(view))
