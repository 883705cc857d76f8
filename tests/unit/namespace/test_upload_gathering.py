"""Large uploads gather what is worth a segment of its own; few at a time, and never small ones."""

from __future__ import annotations

import gc
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import maruhub
from maruhub.api import Hub
from maruhub.errors import NoSpace
from maruhub.namespace import Namespace
from maruhub.namespace.stream import PIECE_BYTES, Upload
from maruhub.store.format.extent import Blob
from maruhub.testing.memory_store import MemoryStore

BULK = 4 * PIECE_BYTES


class Gathering(MemoryStore):
    """Notes how many bytes each append has."""

    bulk_bytes = BULK

    def __init__(self) -> None:
        super().__init__()
        self.appends: list[int] = []

    def append(self, blobs, *more):
        self.appends.append(sum(map(len, blobs)))
        return super().append(blobs, *more)


def upload(store: Gathering, **how: int) -> Upload[Blob]:
    return Upload(store, lambda digest, size, blob, fields: blob, **how)


def written(store: Gathering, size_bytes: int, **how: int) -> list[int]:
    """The appends of one whole upload, in pieces."""
    store.appends.clear()
    one = upload(store, **how)
    data = os.urandom(size_bytes)
    for at in range(0, size_bytes, 700_000):
        one.write(data[at : at + 700_000])
    blob = one.commit()
    assert b"".join(bytes(store._bytes[extent]) for extent in blob) == data
    return [size // PIECE_BYTES if size % PIECE_BYTES == 0 else size for size in store.appends]


@pytest.fixture
def store() -> Iterator[Gathering]:
    made = Gathering()
    yield made
    # Nobody has kept a place.
    assert written(made, 9 * PIECE_BYTES) == [1, 1, 1, 4, 2]


def test_once_it_is_known_to_be_large_it_is_gathered(store: Gathering):
    assert written(store, 3 * PIECE_BYTES) == [1, 1, 1]
    assert written(store, 12 * PIECE_BYTES) == [1, 1, 1, 4, 4, 1]
    assert written(store, 8 * PIECE_BYTES + 5, expected_bytes=BULK) == [4, 4, 5]
    assert written(store, 2 * PIECE_BYTES, expected_bytes=BULK) == [2]


def test_only_a_few_gather_at_a_time(store: Gathering):
    two = [upload(store, expected_bytes=BULK) for _ in range(2)]
    for one in two:
        one.write(bytes(PIECE_BYTES))
    assert store.appends == []
    assert written(store, 9 * PIECE_BYTES) == [1] * 9
    two[0].abort()
    two[1].commit()


def test_one_that_is_dropped_keeps_no_place(store: Gathering):
    for _ in range(3):
        one = upload(store, expected_bytes=BULK)
        one.write(bytes(PIECE_BYTES))
        del one
        gc.collect()


def test_a_large_upload_lies_in_strips_at_once(tmp_path: Path):
    data = os.urandom(30 << 20)
    with maruhub.create(tmp_path / "hub", blades=6) as hub:
        store = hub.store
        store._bulk_bytes = 8 << 20
        hub.namespace.buckets.create("box")
        one = hub.namespace.objects.upload("box", "key", size_bytes=len(data))
        one.write(data)
        one.commit()
        born = [layout for layout in store.layouts() if layout.strips]
        assert [layout.generation for layout in born] == [1, 1, 1]
        assert _read(hub) == data
    with maruhub.connect(tmp_path / "hub") as hub:
        assert _read(hub) == data


def _read(hub: Hub) -> bytes:
    return bytes(hub.bucket("box")["key"])


def test_a_part_whose_size_is_told_is_gathered_from_its_first_byte(store: Gathering):
    uploads = Namespace(store, "tester").uploads
    begun = uploads.begin("photos", "large", create_bucket=True)
    store.appends.clear()
    part = uploads.part("photos", "large", begun.upload_id, 1, size_bytes=BULK)
    part.write(bytes(BULK))
    part.commit()
    assert store.appends == [BULK]


class Full(Gathering):
    """Refuses the appends whose numbers are told."""

    refused: tuple[int, ...] = ()

    def append(self, blobs, *more):
        if len(self.appends) in self.refused:
            self.appends.append(0)
            raise NoSpace("no room", hint="Free space.")
        return super().append(blobs, *more)


def test_what_found_no_room_is_still_there_when_there_is_some():
    store = Full()
    store.refused = (1,)
    one = upload(store, expected_bytes=BULK)
    data = os.urandom(6 * PIECE_BYTES)
    one.write(data)
    with pytest.raises(NoSpace):
        one.commit()
    blob = one.commit()
    assert b"".join(bytes(store._bytes[extent]) for extent in blob) == data


def test_a_stream_whose_end_finds_no_room_leaves_no_trail():
    store = Full()
    names = Namespace(store, "tester")
    names.buckets.create("box")
    size = 40 << 20
    store.refused = (len(store.appends) + size // PIECE_BYTES,)
    store.bulk_bytes = 0
    with pytest.raises(NoSpace):
        names.objects.put_stream("box", "key", io.BytesIO(bytes(size + 5)))
    assert not list(store.scan(b"P", b"Q", 10))
