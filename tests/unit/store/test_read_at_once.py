"""Reading one extent without waiting: the same bytes as any read, or nothing."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import maruhub
from maruhub.api import Hub
from maruhub.store.format.extent import Blobs, Extent


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with maruhub.create(tmp_path / "hub", blades=6) as hub:
        chance = random.Random(3)
        hub.bucket("box").put_many(
            {str(n): chance.randbytes(chance.randrange(1, 90_000)) for n in range(200)}
        )
        yield hub


def extents(hub: Hub) -> list[Extent]:
    infos = hub.namespace.objects.head_many("box", [str(n) for n in range(200)])
    return [extent for info in infos if info is not None for extent in info.extents]


def test_what_is_in_memory_is_what_a_read_gives(hub: Hub):
    wanted = extents(hub)
    found = hub.store.read_many(Blobs.of([(extent,) for extent in wanted]))
    at_once = [hub.store.read_at_once(extent) for extent in wanted]
    assert at_once == found
    hub.care.once()
    sealed = hub.store.read_many(Blobs.of([(extent,) for extent in wanted]))
    assert [hub.store.read_at_once(extent) for extent in wanted] == sealed == found


def test_places_are_those_of_a_batch(hub: Hub):
    hub.care.once()
    layouts = hub.store._reader._layouts
    chance, real = random.Random(5), extents(hub)
    odd = [
        extent._replace(offset=extent.offset + chance.choice([0, 1, 4096, 1 << 30, 2**39, 2**41]))
        for extent in real
    ]
    odd += [extent._replace(segment=chance.randrange(2**64)) for extent in real[:50]]
    some = [*real, *(e._replace(length=chance.choice([e.length, 2**31])) for e in odd)]
    places = layouts.locate(Blobs.of([tuple(some)]).extents)
    for number, extent in enumerate(some):
        alone = layouts.place_of(extent.segment, extent.offset, extent.length)
        if places.files[number] < 0:
            assert alone is None
        else:
            assert alone == (places.keys[places.files[number]], places.offsets[number])


def test_wrong_or_unknown_bytes_are_left_to_other_reads(hub: Hub):
    extent = extents(hub)[0]
    hub.store.read_many(Blobs.of([(extent,)]))
    assert hub.store.read_at_once(extent._replace(checksum=extent.checksum ^ 1)) is None
    assert hub.store.read_at_once(extent._replace(segment=extent.segment ^ 1)) is None


def test_nothing_is_opened_for_it(tmp_path: Path):
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        hub.bucket("box")["k"] = os.urandom(50_000)
    with maruhub.connect(tmp_path / "hub") as hub:
        extent = hub.namespace.objects.head("box", "k").extents[0]
        assert hub.store.read_at_once(extent) is None
        hub.store.read_many(Blobs.of([(extent,)]))
        assert hub.store.read_at_once(extent) == hub.bucket("box")["k"]
