"""Durable PUTs of 50 KB over HTTP at 16 connections, beside puts inside a process and other servers.

An answered PUT survives a loss of power here and in Ceph. SeaweedFS answers before anything is
synced, as it does by default; it is also measured told to sync.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import rivals, wrk
from benchmarks.ceph import ceph
from benchmarks.durable_puts import share_out
from benchmarks.gateway_reads import left_out
from benchmarks.harness import Bench, in_turns, rate
from benchmarks.maru_serve import maru_serve
from benchmarks.samples import BUCKET, Samples, fifty_kb, make_hub
from benchmarks.site import Site

TITLE = "HTTP: durable writes"
WRITERS = 16
_FASTEST = 6_000
MARU, HUB = "maru serve, one blade: signed PUT", f"hub, one blade: put in a process, {WRITERS} threads"
MARU_3 = "maru serve, three copies on this drive: signed PUT"
HUB_3 = f"hub, three copies on this drive: put in a process, {WRITERS} threads"
WEED, WEED_SYNC = "SeaweedFS: S3, signed PUT, not synced", "SeaweedFS: S3, signed PUT, told to sync"
CEPH = "Ceph's gateway, one OSD: signed PUT"


def measure(bench: Bench) -> None:
    samples = fifty_kb(bench.pick(4000, 160))
    body = bench.scratch / "body"
    body.write_bytes(samples.data(0))
    with ExitStack() as stack:
        laps = _laps(bench, stack, samples, body)
        found = in_turns(laps, bench.pick(3, 1), before=os.sync, warm_up=not bench.quick)
    group = bench.group(f"Durable PUT of 50 KB, {WRITERS} at a time", "objects/s", found)
    for ours, peer, aim in (
        (MARU, HUB, 0.6),
        (MARU_3, HUB_3, None),
        (MARU, WEED, 1.0),
        (MARU, WEED_SYNC, None),
        (MARU, CEPH, 5.0),
    ):
        if peer in laps:
            bench.compare(group, ours, peer, at_least=aim)
    bench.note(
        "Client on the same machine: wrk with links signed beforehand, new keys in every round, one body of random "
        "bytes. Inside a process there is no client beside it: the figure is the whole price of the door."
    )


def _laps(bench: Bench, stack: ExitStack, samples: Samples, body: Path) -> dict[str, Callable[[], float]]:
    laps: dict[str, Callable[[], float]] = {}

    def add(name: str, site: Site) -> None:
        laps[name] = _Door(bench, site, body).lap

    for name, inside, blades in ((MARU, HUB, 1), (MARU_3, HUB_3, 3)):
        add(name, stack.enter_context(_maru(bench.scratch / f"door-{blades}", blades)))
        laps[inside] = stack.enter_context(_in_process(bench.scratch / f"hub-{blades}", blades, samples))
    for name, synced in ((WEED, False), (WEED_SYNC, True)):
        with left_out(bench, name):
            weed = stack.enter_context(rivals.seaweed(bench.scratch / f"seaweed-{synced}"))
            rivals.make_bucket(weed.s3)
            if synced:
                weed.sync_all()
            add(name, weed.s3)
    with left_out(bench, CEPH):
        gateway = stack.enter_context(ceph(bench.scratch / "ceph"))
        rivals.make_bucket(gateway)
        add(CEPH, gateway)
    return laps


class _Door:
    """Puts to a server, each lap below a prefix of its own."""

    def __init__(self, bench: Bench, site: Site, body: Path) -> None:
        self._site = site
        self._body = body
        self._seconds = bench.pick(3, 2)
        self._requests = bench.scratch / f"requests-{site.port}"
        self._laps = itertools.count()

    def lap(self) -> float:
        prefix = f"/{BUCKET}/{next(self._laps)}"
        # Enough for the whole lap: overwriting is another thing.
        count = _FASTEST * self._seconds
        links = [self._site.link(f"{prefix}/{i % 100:02}/{i:08}.jpg", method="PUT") for i in range(count)]
        wrk.write_requests(self._requests, links, method="PUT")
        load = wrk.send(
            self._site, self._requests, connections=WRITERS, seconds=self._seconds, body=self._body
        )
        return load.rate


@contextmanager
def _maru(hub: Path, blades: int) -> Iterator[Site]:
    pool, _ = make_hub(hub, blades=blades)
    pool.close()
    with maru_serve(hub) as site:
        yield site


@contextmanager
def _in_process(hub: Path, blades: int, samples: Samples) -> Iterator[Callable[[], float]]:
    pool, ns = make_hub(hub, blades=blades)
    laps = itertools.count()

    def lap() -> float:
        prefix = f"{next(laps)}/"

        def write(i: int) -> None:
            ns.objects.put(BUCKET, prefix + samples.key(i), samples.data(i))

        return rate(len(samples), lambda: share_out(len(samples), WRITERS, write))

    yield lap
    pool.close()
