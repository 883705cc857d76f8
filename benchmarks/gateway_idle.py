"""Ten thousand idle connections: what they cost the server, and what others notice of them."""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack
from pathlib import Path

from benchmarks import wrk
from benchmarks.harness import Bench, in_turns
from benchmarks.maru_serve import MaruSite, maru_serve
from benchmarks.samples import BUCKET, fifty_kb, fill_hub, make_hub
from benchmarks.site import HOST

TITLE = "HTTP: idle connections"
CONNECTIONS = 64
_SPARE_FILES = 200
_ASK = b"GET /-/health HTTP/1.1\r\nHost: bench\r\n\r\n"
_GOOD = b"HTTP/1.1 200"


def measure(bench: Bench) -> None:
    samples = fifty_kb(bench.pick(3000, 200))
    hub = bench.scratch / "hub"
    pool, ns = make_hub(hub, blades=6)
    fill_hub(ns, samples)
    pool.close()
    count = _fit(bench.pick(10_000, 500))
    with maru_serve(hub) as site:
        links = [site.link(f"/{BUCKET}/{samples.key(i)}") for i in samples.shuffled(7)]
        _measure(bench, site, wrk.write_requests(bench.scratch / "requests", links), count)
    bench.note(
        f"{count:,} connections were opened, each asked once, left alone while {CONNECTIONS} others were busy, "
        "then asked again: all of them answered. Client on the same machine."
    )


def _measure(bench: Bench, site: MaruSite, requests: Path, count: int) -> None:
    held: list[float] = []
    rates: dict[str, list[float]] = {}

    def lap(idle: int) -> float:
        with ExitStack() as stack:
            before = _memory_kib(site)
            crowd = [stack.enter_context(_connection(site)) for _ in range(idle)]
            if crowd:
                held.append((_memory_kib(site) - before) / len(crowd))
            load = wrk.send(
                site, requests, connections=CONNECTIONS, seconds=bench.pick(3, 1), answer_bytes=50_000
            )
            for connection in crowd:
                _ask(connection)
        rates.setdefault(_name(idle), []).append(load.rate)
        return load.p99_ms

    rounds = bench.pick(5, 1)
    late = in_turns({_name(idle): lambda idle=idle: lap(idle) for idle in (count, 0)}, rounds)
    title = f"GET of 50 KB, {CONNECTIONS} busy connections"
    group = bench.group(f"{title}: 99 of 100 are answered within", "ms", late, "lower")
    bench.compare(group, _name(count), _name(0))
    group = bench.group(title, "requests/s", rates)
    bench.compare(group, _name(count), _name(0))
    bench.limit("Memory of an idle connection, first round", "KiB", max(held[0], 0.1), at_most=64)


def _name(idle: int) -> str:
    return f"maru serve: beside {idle:,} idle connections" if idle else "maru serve: alone"


def _fit(count: int) -> int:
    """As many connections as this process may hold."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return count if hard == resource.RLIM_INFINITY else min(count, hard - _SPARE_FILES)


def _connection(site: MaruSite) -> socket.socket:
    connection = socket.create_connection((HOST, site.port), timeout=60)
    _ask(connection)
    return connection


def _ask(connection: socket.socket) -> None:
    connection.sendall(_ASK)
    got = b""
    while not got.endswith(b"ok\n"):
        piece = connection.recv(4096)
        if not piece:
            raise RuntimeError("an idle connection was closed")
        got += piece
    assert got.startswith(_GOOD), got


def _memory_kib(site: MaruSite) -> int:
    """Private memory of all workers."""
    status = [Path(f"/proc/{pid}/status").read_text() for pid in site.workers()]
    return sum(int(text.split("RssAnon:")[1].split()[0]) for text in status)
