"""A range in pieces is the range, whether it is in memory, on a drive, or partly so."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import maruhub
from maruhub.api import Hub
from maruhub.gateway.service.pieces import AtOnce, ObjectPieces
from maruhub.store.format.extent import Extent

SIZE = 11 * (1 << 20) + 12_345


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with maruhub.create(Path(tmp_path_factory.mktemp("pieces")) / "hub", blades=3) as hub:
        hub.bucket("box").put("k", random.Random(1).randbytes(SIZE))
        yield hub


def drained(pieces: ObjectPieces) -> bytes:
    """As a server takes them: at once where that goes, else waited for."""
    found = io.BytesIO()
    while True:
        piece = pieces.at_once()
        if piece is None:
            piece = next(pieces, b"")
        if not piece:
            assert not pieces.at_once(), "what is at its end stays there"
            return found.getvalue()
        assert len(piece) <= 1 << 20
        found.write(piece)


def sometimes(hub: Hub, chance: random.Random) -> AtOnce:
    def at_once(extent: Extent, buffer: bytearray | None) -> bytearray | None:
        return hub.store.read_at_once(extent, buffer) if chance.random() < 0.6 else None

    return at_once


ways: list[Callable[[Hub, random.Random], AtOnce | None]] = [
    lambda hub, _: hub.store.read_at_once,
    lambda _hub, _: lambda _extent, _buffer: None,
    lambda _hub, _: None,
    sometimes,
]


@pytest.mark.parametrize("way", ways, ids=["in memory", "on a drive", "waiting", "partly"])
def test_any_range_is_what_was_put(hub: Hub, way: Callable[[Hub, random.Random], AtOnce | None]):
    chance = random.Random(2)
    whole, objects = random.Random(1).randbytes(SIZE), hub.namespace.objects
    info = objects.head("box", "k")
    edges = [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 8 << 20, 9 << 20, SIZE - 1, SIZE]
    ranges = [(a, b) for a in edges for b in edges if a < b]
    ranges += [(a, chance.randrange(a + 1, SIZE + 1)) for a in (chance.randrange(SIZE) for _ in range(20))]
    for first, stop in ranges:
        pieces = ObjectPieces(objects, info, first, stop - first, at_once=way(hub, chance))
        assert drained(pieces) == whole[first:stop], (first, stop)
    first, stop = 3, SIZE - 3
    assert b"".join(ObjectPieces(objects, info, first, stop - first, at_once=None)) == whole[first:stop]


def test_two_ranges_at_once_do_not_share_a_buffer(hub: Hub):
    info, whole = hub.namespace.objects.head("box", "k"), random.Random(1).randbytes(SIZE)
    read = hub.store.read_at_once
    one, two = (ObjectPieces(hub.namespace.objects, info, at << 20, 2 << 20, at_once=read) for at in (0, 4))
    first, other = one.at_once(), two.at_once()
    assert first == whole[: 1 << 20]
    assert other == whole[4 << 20 : 5 << 20]
