"""How runs are cut into what is sent together."""

from __future__ import annotations

from maruhub.gateway.batch.located import WINDOW, Pieces, Run
from maruhub.store.format.extent import Blobs, Extent

MIB = 1 << 20


def run_of(first: int, count: int, size: int) -> Run:
    blobs = Blobs.of([[Extent(1, (first + i) * size, size, i)] for i in range(count)])
    return Run(blobs, {}, list)


def test_pieces_grow_from_a_small_one_over_runs_and_hold_every_row_once() -> None:
    runs = [run_of(0, 3, 100_000), run_of(3, 300, 100_000), run_of(303, 2, 100_000)]
    pieces = list(Pieces(iter(runs)))
    sizes = [int(piece.blobs().sizes().sum()) for piece in pieces]
    assert sizes[0] <= MIB
    assert all(size <= 2 * MIB for size in sizes[:2])
    assert max(sizes) > WINDOW.piece_bytes - MIB
    assert max(sizes) <= WINDOW.piece_bytes
    offsets = [offset for piece in pieces for offset in piece.blobs().extents["offset"].tolist()]
    assert offsets == [i * 100_000 for i in range(305)]
    assert [item for piece in pieces for item in piece.table["item"].tolist()] == list(range(305))


def test_a_piece_ends_where_an_item_does_if_any_does() -> None:
    sizes = [3, 1, 5, 4, 2, 9, 1, 7, 20, 3, 3, 3]
    blobs = Blobs.of([[Extent(1, i * MIB, MIB, i) for i in range(size)] for size in sizes])
    pieces = list(Pieces(iter([Run(blobs, {}, list)])))
    ends = blobs.starts[1:].tolist()
    assert [piece.lo for piece in pieces[1:]] == [piece.hi for piece in pieces[:-1]]
    assert (pieces[0].lo, pieces[-1].hi) == (0, sum(sizes))
    for piece in pieces:
        assert (piece.hi - piece.lo) * MIB <= WINDOW.piece_bytes
        within = [end for end in ends if piece.lo < end <= piece.hi]
        assert piece.hi in ends or not within
