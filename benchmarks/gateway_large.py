"""Ranges of 5 MB out of a large object over HTTP, beside what the loopback carries (iperf3).

As many streams on both sides, each a connection that asks for the next range when the one before
has come; the object is in memory. Every byte that the hub sends has been summed by it.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import socket
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing.synchronize import Barrier
from pathlib import Path

from benchmarks.harness import Bench, in_turns
from benchmarks.iperf import iperf_bytes_a_second
from benchmarks.maru_serve import maru_serve
from benchmarks.samples import BUCKET, fifty, make_hub
from benchmarks.site import HOST, Site

TITLE = "HTTP: ranges of a large object"
STREAMS = 4
RANGE_BYTES = 5_000_000
_PIECE = 10_000_000
_KEY = "large.bin"
_BUFFER_BYTES = 256 << 10
_barrier: Barrier | None = None
"""Of a reader's process: where it waits for the others."""
MARU, IPERF = "maru serve: signed GET of 5 MB ranges", "iperf3: the loopback"


def measure(bench: Bench) -> None:
    # More than half of the memory would measure the drive.
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    pieces = min(bench.pick(1000, 200), memory // 2 // _PIECE)
    hub = bench.scratch / "hub"
    _fill(hub, pieces)
    with ExitStack() as stack:
        site = stack.enter_context(maru_serve(hub))
        readers = stack.enter_context(_Readers(site, pieces * _PIECE))
        laps: dict[str, Callable[[], float]] = {MARU: lambda: readers.lap(bench.pick(5, 1))}
        if shutil.which("iperf3") is None:
            bench.note(f"**Left out: {IPERF}.** Not on this machine: iperf3 (Debian: iperf3).")
        else:
            laps[IPERF] = lambda: (
                iperf_bytes_a_second(bench.scratch, streams=STREAMS, seconds=bench.pick(5, 1)) / 1e6
            )
        found = in_turns(laps, bench.pick(5, 1), warm_up=not bench.quick)
    group = bench.group(f"Ranges of 5 MB, {STREAMS} streams", "MB/s", found)
    if IPERF in laps:
        bench.compare(group, MARU, IPERF, at_least=0.8)
    bench.note(
        f"Client on the same machine, a process a stream; an object of {pieces * _PIECE / 1e9:g} GB, ranges at "
        "random multiples of 5 MB. iperf3 sends the same bytes again and again, and sums none."
    )


def _fill(hub: Path, pieces: int) -> None:
    pool, ns = make_hub(hub)
    ns.objects.put_stream(BUCKET, _KEY, _Pieces(pieces))
    pool.close()


class _Pieces:
    """A stream that repeats one piece."""

    def __init__(self, count: int) -> None:
        self._piece = b"".join(fifty(200).data(i) for i in range(200))[:_PIECE]
        self._left = count * _PIECE

    def read(self, size: int, /) -> bytes:
        at = -self._left % _PIECE
        data = self._piece[at : at + min(size, self._left)]
        self._left -= len(data)
        return data


class _Readers:
    """A process a stream, each kept from lap to lap."""

    def __init__(self, site: Site, size_bytes: int) -> None:
        self._site = site
        self._size_bytes = size_bytes
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(
            STREAMS, mp_context=spawn, initializer=_meet_at, initargs=(spawn.Barrier(STREAMS),)
        )

    def __enter__(self) -> _Readers:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def lap(self, seconds: float) -> float:
        """MB/s of all streams together."""
        link = self._site.link(f"/{BUCKET}/{_KEY}")
        reads = [
            self._pool.submit(read_ranges, self._site.port, link, self._size_bytes, seconds)
            for _ in range(STREAMS)
        ]
        return sum(read.result() for read in reads) / seconds / 1e6


def _meet_at(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier


def read_ranges(port: int, link: str, size_bytes: int, seconds: float) -> int:
    """Reads ranges for so long, beginning together with the other streams; the bytes that came."""
    head = f"GET {link} HTTP/1.1\r\nHost: {HOST}:{port}\r\n"
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    received = 0
    with socket.create_connection((HOST, port)) as connection:
        assert _barrier is not None
        _barrier.wait()
        end_s = time.monotonic() + seconds
        while True:
            first = random.randrange(size_bytes // RANGE_BYTES) * RANGE_BYTES
            span = f"Range: bytes={first}-{first + RANGE_BYTES - 1}\r\n\r\n"
            connection.sendall((head + span).encode())
            left = RANGE_BYTES - _after_head(connection, buffer)
            while left:
                count = connection.recv_into(buffer[: min(left, _BUFFER_BYTES)])
                if not count:
                    raise RuntimeError("the server broke off within a range")
                left -= count
                if time.monotonic() >= end_s:
                    return received + RANGE_BYTES - left
            received += RANGE_BYTES


def _after_head(connection: socket.socket, buffer: memoryview) -> int:
    """Reads the head of a good answer; how many bytes of the body came with it."""
    got = b""
    while b"\r\n\r\n" not in got:
        count = connection.recv_into(buffer)
        if not count:
            raise RuntimeError("the server broke off")
        got += buffer[:count]
    head, _, body = got.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 206") or f"content-length: {RANGE_BYTES}".encode() not in head.lower():
        raise RuntimeError(f"no good answer: {got[:500]!r}")
    return len(body)
