"""Bytes with something changed in them, as a line that tears or a client that lies would change it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Final


def mutated(rng: random.Random, raw: bytes, times: int = 3) -> bytes:
    """Bytes with some of them changed, cut, doubled or moved."""
    data = bytearray(raw)
    for _ in range(rng.randint(1, times)):
        rng.choice(_MUTATIONS)(rng, data)
    return bytes(data)


def _flip(rng: random.Random, data: bytearray) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _cut(rng: random.Random, data: bytearray) -> None:
    start = rng.randrange(len(data) + 1)
    del data[start : start + rng.choice((1, 2, 10, 1000))]


def _insert(rng: random.Random, data: bytearray) -> None:
    word = rng.choice(
        (b"\0", b"\r\n", b"\n", b" ", b"%", b"%00", b"\xff", b"-1", b"&", b"?", b";", b"A" * 999)
    )
    at = rng.randrange(len(data) + 1)
    data[at:at] = word


def _double_line(rng: random.Random, data: bytearray) -> None:
    lines = bytes(data).split(b"\r\n")
    at = rng.randrange(len(lines))
    lines.insert(rng.randrange(len(lines)), lines[at])
    data[:] = b"\r\n".join(lines)


def _drop_line(rng: random.Random, data: bytearray) -> None:
    lines = bytes(data).split(b"\r\n")
    del lines[rng.randrange(len(lines))]
    data[:] = b"\r\n".join(lines)


def _number(rng: random.Random, data: bytearray) -> None:
    """Another number in place of one."""
    found = list(re.finditer(rb"\d+", bytes(data)))
    if found:
        match = rng.choice(found)
        data[match.start() : match.end()] = rng.choice(
            (b"0", b"-1", b"1", b"10000", b"99999999999999999999", b"4294967296", b"")
        )


_MUTATIONS: Final[tuple[Callable[[random.Random, bytearray], None], ...]] = (
    _flip, _cut, _insert, _double_line, _drop_line, _number,
)  # fmt: skip
