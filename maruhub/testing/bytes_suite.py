"""The contract of ``Store`` about bytes: what was appended comes back, or an error does.

Half of :class:`maruhub.testing.store_suite.StoreSuite`, which says how to use it.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import xxhash

from maruhub.errors import Corrupt, MaruError
from maruhub.store.format.extent import (
    BLOCK_BYTES,
    EXTENT_BYTES_MAX,
    Blob,
    Blobs,
    blob_size,
    extents_to_array,
)
from maruhub.store.protocol import Store, read

SIZES = (
    *(0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1),
    *(EXTENT_BYTES_MAX, EXTENT_BYTES_MAX + 1, 5 * EXTENT_BYTES_MAX),
)
"""Around every border at which bytes are laid out another way."""


def filled(size: int, seed: int = 1) -> bytes:
    """The same ``size`` bytes for the same seed."""
    return random.Random(seed).randbytes(size)


def put(store: Store, key: bytes, data: bytes, payload: bytes = b"") -> Blob:
    """Stores ``data`` under a row; returns its blob."""
    (blob,) = store.append([data])
    store.commit(lambda rows: rows.put(key, payload, extents=blob))
    return blob


def plain(results: Sequence[memoryview | MaruError]) -> list[bytes | type]:
    """Bytes as bytes and errors as their type, to be compared."""
    return [type(result) if isinstance(result, MaruError) else bytes(result) for result in results]


class BytesSuite:
    """What every store does with bytes. Each test gets an empty one as ``store``."""

    def make_store(self, folder: Path) -> Store:
        """Make an empty store that may keep itself under ``folder``."""
        raise NotImplementedError

    def rot(self, store: Store, blob: Blob) -> None:
        """Change a bit of the first extent in every copy, behind the store's back."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """An empty store."""
        made = self.make_store(tmp_path)
        yield made
        made.close()

    @pytest.mark.parametrize("size", SIZES)
    def test_any_size_comes_back(self, store: Store, size: int) -> None:
        data = filled(size)
        blob = put(store, b"K", data)
        assert blob_size(blob) == size
        for verify in (True, False):
            view = read(store, blob, verify=verify)
            assert bytes(view) == data
            assert view.readonly
            assert view.contiguous

    def test_extents_keep_the_rule_of_alignment(self, store: Store) -> None:
        blobs = store.append([filled(size, seed) for seed, size in enumerate((7, *SIZES, 3, *SIZES, 5))])
        for blob in blobs:
            if blob_size(blob) >= BLOCK_BYTES:
                assert all(extent.offset % BLOCK_BYTES == 0 for extent in blob)
            assert all(extent.length == EXTENT_BYTES_MAX for extent in blob[:-1])
            assert all(0 < extent.length <= EXTENT_BYTES_MAX for extent in blob)
        taken = sorted((e.segment, e.offset, e.offset + e.length) for blob in blobs for e in blob)
        for (s, _, end), (next_s, start, _) in itertools.pairwise(taken):
            assert s != next_s or end <= start

    def test_sums_are_xxh3_of_each_extent(self, store: Store) -> None:
        data = filled(EXTENT_BYTES_MAX + 10)
        (blob,) = store.append([data])
        sums = [xxhash.xxh3_64_intdigest(data[:EXTENT_BYTES_MAX]), xxhash.xxh3_64_intdigest(data[-10:])]
        assert [extent.checksum for extent in blob] == sums

    def test_pieces_are_joined(self, store: Store) -> None:
        pieces = [filled(12 * BLOCK_BYTES, 1), filled(EXTENT_BYTES_MAX, 2), filled(77, 3)]
        blob = tuple(extent for piece in pieces for extent in store.append([piece])[0])
        store.commit(lambda rows: rows.put(b"K", b"", extents=blob))
        assert bytes(read(store, blob)) == b"".join(pieces)

    def test_any_buffer_is_taken_and_not_kept(self, store: Store) -> None:
        mutable = bytearray(filled(5000))
        wanted = bytes(mutable)
        blobs = store.append([mutable, memoryview(mutable)[100:300], memoryview(mutable).cast("I")])
        mutable[:] = bytes(5000)
        store.commit(lambda rows: rows.put(b"K", b"", extents=[e for blob in blobs for e in blob]))
        assert [bytes(read(store, blob)) for blob in blobs] == [wanted, wanted[100:300], wanted]

    def test_many_blobs_come_in_the_order_asked(self, store: Store) -> None:
        datas = [filled(size, size) for size in (0, 10, 6000, 1, 4096, 3 << 20, 0, 9)]
        blobs = store.append(datas)
        store.commit(lambda rows: rows.put(b"K", b"", extents=[e for blob in blobs for e in blob]))
        order = [5, 0, 3, 3, 7, 1, 2, 6, 4, 5]
        for verify in (True, False):
            got = store.read_many(Blobs.of([blobs[i] for i in order]), verify=verify)
            assert plain(got) == [datas[i] for i in order]
        assert store.read_many(Blobs.of([])) == []
        store.announce(extents_to_array([extent for blob in blobs for extent in blob]))
        store.announce(extents_to_array([]))

    def test_rot_is_found_and_spares_the_others(self, store: Store) -> None:
        blobs = [put(store, b"K%d" % i, filled(6000, i)) for i in range(3)]
        self.rot(store, blobs[1])
        assert plain(store.read_many(Blobs.of(blobs))) == [filled(6000, 0), Corrupt, filled(6000, 2)]
        with pytest.raises(Corrupt):
            read(store, blobs[1])

    def test_an_address_of_nowhere_is_an_error_of_its_own(self, store: Store) -> None:
        blob = put(store, b"K", b"here")
        nowhere = (blob[0]._replace(segment=blob[0].segment ^ 1),)
        beyond = (blob[0]._replace(offset=1 << 36),)
        assert plain(store.read_many(Blobs.of([nowhere, blob, beyond]))) == [Corrupt, b"here", Corrupt]

    def test_views_outlive_close(self, store: Store) -> None:
        blobs = [put(store, b"K%d" % size, filled(size)) for size in (10, 5000, 3 << 20)]
        views = store.read_many(Blobs.of(blobs))
        store.close()
        assert plain(views) == [filled(10), filled(5000), filled(3 << 20)]
