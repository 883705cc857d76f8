"""A small body is held as itself, however it was framed."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace
from typing import Any

from maruhub.gateway.s3.signature import Payload, PayloadMode
from maruhub.gateway.service.writes import PutSink

SIZE = 20_000


def sink_of(payload: Payload | None, **headers: str) -> PutSink:
    sizes = {"content-length": str(SIZE), "x-amz-decoded-content-length": str(SIZE)}
    request: Any = SimpleNamespace(
        headers={**sizes, **headers}, bucket="b", key="k", now_us=1, retry_id=b"", names=SimpleNamespace()
    )
    bucket = SimpleNamespace(locks=False)
    return PutSink(request, SimpleNamespace(bucket=lambda _: bucket), payload, None)  # type: ignore[arg-type]


def stored(sink: PutSink) -> bytes:
    """What is put when the body ends."""
    put: list[bytes] = []
    sink._request.names.objects = SimpleNamespace(  # type: ignore[misc]
        prepare=lambda bucket, item, **how: put.append(bytes(item.data))
    )
    sink.placing()
    return put[0]


def test_many_tiny_chunks_are_held_as_one_buffer() -> None:
    sink = sink_of(Payload(PayloadMode.UNSIGNED_TRAILER, ""))
    body = b"1\r\nx\r\n" * SIZE + b"0\r\n\r\n"
    tracemalloc.start()
    try:
        for at in range(0, len(body), 1 << 14):
            sink.write(body[at : at + (1 << 14)])
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 5 * SIZE
    assert stored(sink) == b"x" * SIZE


def test_one_piece_is_held_as_it_came() -> None:
    sink, body = sink_of(None), b"y" * SIZE
    sink.write(body)
    assert isinstance(sink._held, memoryview)
    assert sink._held.obj is body
    assert stored(sink) == body
