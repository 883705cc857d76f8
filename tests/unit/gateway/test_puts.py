"""A body that is put whole is held as itself, however it was framed."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace
from typing import Any

from maruhub.gateway.s3.signatures.v4 import Payload, PayloadMode
from maruhub.gateway.service.puts import Put

SIZE = 100_000
"""So large that what else the process does in the meantime is little beside it."""


def placed(payload: Payload | None, body: bytes) -> memoryview:
    """What is placed of a body."""
    sizes = {"content-length": str(SIZE), "x-amz-decoded-content-length": str(SIZE)}
    objects = SimpleNamespace(prepare=lambda bucket, item, **how: item.data)
    request: Any = SimpleNamespace(
        headers=sizes, bucket="b", key="k", now_us=1, retry_id=b"", names=SimpleNamespace(objects=objects)
    )
    authority: Any = SimpleNamespace(bucket=lambda _: SimpleNamespace(locks=False))
    data: Any = Put(request, authority, payload, None).placing(body)
    return memoryview(data)


def test_many_tiny_chunks_are_held_as_one_buffer() -> None:
    body = b"1\r\nx\r\n" * SIZE + b"0\r\n\r\n"
    tracemalloc.start()
    try:
        data = placed(Payload(PayloadMode.UNSIGNED_TRAILER, ""), body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 * SIZE
    assert data == b"x" * SIZE


def test_one_piece_is_held_as_it_came() -> None:
    body = b"y" * SIZE
    data = placed(None, body)
    assert data.obj is body
