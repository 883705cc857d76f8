"""Few places are looked at while nothing comes from a drive, and many after something has."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pytest

from maruhub.api.door import create
from maruhub.store.read import doubt, reader
from maruhub.store.read.doubt import PROBES, PROBES_IN_DOUBT, Doubt
from maruhub.store.read.mapping import MappedFile

DATAS = {f"{n:03}": random.Random(n).randbytes(20_000) for n in range(128)}


def test_it_begins_in_doubt_and_loses_it_by_batches_that_were_there():
    found = Doubt()
    assert found.probes == PROBES_IN_DOUBT
    for _ in range(doubt._DOUBT_BATCHES):
        assert found.probes == PROBES_IN_DOUBT
        found.note(waited=False)
    assert found.probes == PROBES


def test_one_page_from_a_drive_brings_it_back():
    found = Doubt()
    for _ in range(100):
        found.note(waited=False)
    found.note(waited=True)
    assert found.probes == PROBES_IN_DOUBT


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where it was looked whether bytes are in memory; they always are."""
    places: list[int] = []

    def look(mapped: MappedFile, offset: int) -> bool:
        places.append(offset)
        return True

    monkeypatch.setattr(MappedFile, "is_resident", look)
    return places


def test_a_warm_reader_looks_at_few_places_and_at_many_again_after_a_fault(
    tmp_path: Path, looked: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reader, "major_faults", lambda: 0)  # whatever else drops pages meanwhile
    with create(tmp_path / "hub") as hub:
        hub.bucket("photos").put_many(DATAS)
        hub.dataset("all").commit("photos")
        version = hub.version("all")
        blobs = version.blobs(np.arange(len(version), dtype=np.uint64))
        for _ in range(doubt._DOUBT_BATCHES):
            hub.store.read_many(blobs)
        looked.clear()
        hub.store.announce(blobs.extents)
        assert len(looked) == PROBES
        monkeypatch.setattr(reader, "major_faults", itertools.count().__next__)
        hub.store.read_many(blobs)
        looked.clear()
        hub.store.announce(blobs.extents)
        assert len(looked) == PROBES_IN_DOUBT
