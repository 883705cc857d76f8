"""Buffers that are sent back to back: as they are, or put together in pieces of bounded size."""

from __future__ import annotations

import random

import pytest

from maruhub.gateway.answer import Gathered
from maruhub.wire.frame import Buffer


@pytest.mark.parametrize("gathered", [0, 1, 3])
def test_what_is_put_together_is_what_was_to_be_sent(gathered: int) -> None:
    chance = random.Random(gathered)
    pieces: list[list[Buffer]] = [
        [chance.randbytes(chance.randrange(1 << 19)) for _ in range(chance.randrange(1, 40))]
        for _ in range(4)
    ]
    body = Gathered(iter(pieces))
    begun = [body.gather() for _ in range(gathered)]
    sent = b"".join(b"".join(piece) for piece in begun[:-1])
    if begun:
        body.put_back(begun[-1])
    together = list(body)
    assert max(map(len, together)) < (1 << 20) + (1 << 19)
    assert sent + b"".join(together) == b"".join(b"".join(piece) for piece in pieces)
    assert body.gather() == []
