"""Signed GETs of 50 KB over HTTP, beside other servers of the same bytes.

The client is wrk, the same for all, with links signed beforehand (Signature V4 in the query).
Each server is what its users start, a process or thread a core by its own choice.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import rivals, wrk
from benchmarks.ceph import ceph
from benchmarks.harness import Bench, in_turns
from benchmarks.maru_serve import maru_serve
from benchmarks.samples import BUCKET, ROOT, Samples, fifty_kb, fill_hub, make_hub, write_files
from benchmarks.site import Missing, Site, free_ports, running

TITLE = "HTTP: signed reads"
PROFILE = """
A signed GET is a hundred small steps of Python, none of them large, in one thread that takes requests over
from the HTTP server and answers them: 48 µs where nothing else runs, of which a fifth is the signature (the
canonical form and two rounds of SHA-256), a fifth reading and summing the bytes, an eighth the rows of bucket
and object; the rest is what is asked, headers, rights and counting. Between the copies that the server and the
kernel make of each answer the same steps take about twice as long: their code and tables have left the
processor's cache. The HTTP server's own part is the line "the HTTP runtime alone". nginx checks no signature,
looks up no name, and lets the kernel send the file.
"""
MARU, NGINX = "maru serve: signed GET", "nginx: static files, not signed"
WEED_S3, WEED_ID = "SeaweedFS: S3, signed GET", "SeaweedFS: by file id, not signed"
BARE = "the HTTP runtime alone: bytes from memory, nothing asked"
RCLONE, CEPH = "rclone serve s3: signed GET", "Ceph's gateway, one OSD: signed GET"
AIMS = {NGINX: 0.55, WEED_S3: 3.0, WEED_ID: 1.0, RCLONE: 2.5, CEPH: 5.0}
SMALLEST = 50_000


@dataclass(frozen=True)
class Side:
    """A server and the requests that it is sent."""

    site: Site
    requests: Path

    def load(self, connections: int, seconds: int) -> wrk.Load:
        return wrk.send(
            self.site, self.requests, connections=connections, seconds=seconds, answer_bytes=SMALLEST
        )


def measure(bench: Bench) -> None:
    samples = fifty_kb(bench.pick(3000, 200))
    with ExitStack() as stack:
        sides = _sides(bench, stack, samples)
        for connections in (8, 64):
            _throughput(bench, sides, connections)
        _latency(bench, {name: sides[name] for name in (MARU, NGINX) if name in sides})
    bench.note(
        f"Client on the same machine, so it shares the cores; {len(samples):,} objects, all in memory, the same "
        "order for all. One sample a side is compared byte by byte first; a refused or short answer ends the run."
    )
    bench.note(
        "The runtime alone is the HTTP server that `maru serve` is built on, with a handler of one line that looks "
        "at nothing and answers with the same bytes each time: no handler can be faster."
    )
    bench.note("nginx keeps its files open (open_file_cache) and checks no signature; Ceph keeps one copy.")


def _throughput(bench: Bench, sides: dict[str, Side], connections: int) -> None:
    seconds = bench.pick(3, 1)

    def lap(side: Side) -> Callable[[], float]:
        return lambda: side.load(connections, seconds).rate

    laps = {name: lap(side) for name, side in sides.items()}
    found = in_turns(laps, bench.pick(3, 1), warm_up=not bench.quick)
    group = bench.group(f"GET of 50 KB, {connections} connections", "requests/s", found)
    for peer, aim in AIMS.items():
        if peer in sides:
            bench.compare(group, MARU, peer, at_least=aim)
    bench.compare(group, MARU, BARE)
    if NGINX in sides:
        bench.compare(group, BARE, NGINX)


def _latency(bench: Bench, sides: dict[str, Side]) -> None:
    lines: dict[str, list[tuple[float, float]]] = {}
    for connections in (1, 8, 64, 512):
        loads: dict[str, list[wrk.Load]] = {name: [] for name in sides}
        for _ in range(bench.pick(2, 1)):
            for name, side in sides.items():
                loads[name].append(side.load(connections, bench.pick(2, 1)))
        for name, found in loads.items():
            short = name.split(":")[0]
            p50, p99 = (
                statistics.median(getattr(load, part) for load in found) for part in ("p50_ms", "p99_ms")
            )
            lines.setdefault(f"{short}, half of the requests", []).append((connections, p50))
            lines.setdefault(f"{short}, 99 of 100", []).append((connections, p99))
    bench.curve("How long a GET of 50 KB takes", "connections", "ms", lines, log_x=True, log_y=True)


def _sides(bench: Bench, stack: ExitStack, samples: Samples) -> dict[str, Side]:
    """Every server that is there, filled and running."""
    files = bench.scratch / "files"
    write_files(files / BUCKET, samples)
    starts: dict[str, Callable[[], AbstractContextManager[Site]]] = {
        MARU: lambda: _maru(bench.scratch / "hub", samples),
        NGINX: lambda: rivals.nginx(bench.scratch / "nginx", files),
        RCLONE: lambda: rivals.rclone(bench.scratch / "rclone", files),
        CEPH: lambda: _filled(ceph(bench.scratch / "ceph"), samples),
    }
    sides = {}
    for name, start in starts.items():
        with left_out(bench, name):
            site = stack.enter_context(start())
            sides[name] = _side(bench, name, site, _links(site, samples), samples)
    with left_out(bench, f"{WEED_S3}; {WEED_ID}"):
        weed = stack.enter_context(rivals.seaweed(bench.scratch / "seaweed"))
        rivals.fill(weed.s3, samples)
        sides[WEED_S3] = _side(bench, WEED_S3, weed.s3, _links(weed.s3, samples), samples)
        sides[WEED_ID] = _side(bench, WEED_ID, weed.volume, weed.put_by_id(samples), samples)
    sides[BARE] = Side(stack.enter_context(_bare(bench.scratch)), sides[MARU].requests)
    return {name: sides[name] for name in (MARU, BARE, *AIMS) if name in sides}


@contextmanager
def _bare(folder: Path) -> Iterator[Site]:
    (port,) = free_ports(1)
    command = [sys.executable, Path(__file__).with_name("bare_runtime.py"), folder, port, SMALLEST]
    with running(command, folder / "bare.log", port=port, environment={"PYTHONPATH": str(ROOT)}):
        yield Site(port)


@contextmanager
def left_out(bench: Bench, name: str) -> Iterator[None]:
    """Passes over a server that is not on this machine, and says so."""
    try:
        yield
    except Missing as missing:
        bench.note(f"**Left out: {name}.** Not on this machine: {missing}.")


@contextmanager
def _maru(hub: Path, samples: Samples) -> Iterator[Site]:
    pool, ns = make_hub(hub, blades=6)
    fill_hub(ns, samples)
    pool.close()
    with maru_serve(hub) as site:
        yield site


@contextmanager
def _filled(starting: AbstractContextManager[Site], samples: Samples) -> Iterator[Site]:
    with starting as site:
        rivals.fill(site, samples)
        yield site


def _links(site: Site, samples: Samples) -> list[str]:
    return [site.link(f"/{BUCKET}/{samples.key(i)}") for i in range(len(samples))]


def _side(bench: Bench, name: str, site: Site, links: list[str], samples: Samples) -> Side:
    middle = len(samples) // 2
    if site.ask("GET", links[middle]) != samples.data(middle):
        raise RuntimeError(f"{name} gives other bytes than were put.")
    order = [links[i] for i in samples.shuffled(7)]
    return Side(site, wrk.write_requests(bench.scratch / f"requests-{site.port}", order))
