"""The batch door over loopback: a shuffled, verified epoch beside iperf3 and Arrow Flight.

One stream on every side, server and client on the same machine: both ends share its cores, as
those of iperf3 do. All bytes are in the page cache.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import maruhub
from benchmarks.harness import Bench, in_turns, rate
from benchmarks.iperf import iperf_bytes_a_second
from benchmarks.maru_serve import maru_serve
from benchmarks.samples import BUCKET, Samples, fifty, fill_hub, make_hub, mixed, write_files
from benchmarks.site import free_ports, running
from maruhub.catalog import Catalog

TITLE = "The batch door over loopback"
PROFILE = """
Of what a server does half is the kernel's sending, from the mapped files, and the rest finding and naming what is
sent. A client receives a frame into memory that it uses again (half), sums each object in it (an eighth) and cuts
views, also of objects of several extents: nothing is copied but by the two ends' kernels, and nothing summed
twice. Frames are 8 MiB: with less the fixed costs of one (a turn of a thread, a table) are felt.
"""
EPOCH, OBJECTS = "batch door: a shuffled epoch, verified", "batch door: objects by key, verified"
IPERF, FLIGHT = "iperf3, one stream", "Arrow Flight, batches ready in memory"
BATCH = 64


def measure(bench: Bench) -> None:
    if shutil.which("iperf3") is None:
        bench.note("iperf3 is not installed: there is nothing to say what the loopback carries.")
    for samples in (fifty(bench.pick(20_000, 200)), mixed(bench.pick(1_500, 40))):
        _measure(bench, samples)
    bench.note("Client and server on the same machine. GB/s are those of the samples' own bytes.")
    bench.note("The door signs its request, and its client sums every object; Flight and iperf3 sum nothing.")
    bench.note(
        "1.3 times Flight is more than one stream of the loopback carries wherever Flight has 0.77 of that or more."
    )


def _measure(bench: Bench, samples: Samples) -> None:
    folder = bench.scratch / samples.title.replace(" ", "")
    pool, ns = make_hub(folder / "hub")
    fill_hub(ns, samples)
    Catalog(ns).dataset("bench").commit(f"{BUCKET}/")
    pool.close()
    write_files(folder / "files", samples)
    with ExitStack() as stack:
        served = stack.enter_context(maru_serve(folder / "hub", "--workers", "1", "--no-care"))
        hub = stack.enter_context(
            maruhub.connect(served.url, access_key=served.access_key, secret_key=served.secret_key)
        )
        sides = _door(hub, samples) | _flight(stack, folder / "files", samples.size_bytes)
        if shutil.which("iperf3") is not None:
            seconds = bench.pick(3, 1)
            sides[IPERF] = lambda: iperf_bytes_a_second(folder, streams=1, seconds=seconds) / 1e9
        found = in_turns(sides, bench.pick(7, 1), warm_up=True)
    group = bench.group(f"One stream, {samples.title}", "GB/s", found)
    bench.compare(group, EPOCH, FLIGHT, at_least=1.3)
    if IPERF in found:
        bench.compare(group, EPOCH, IPERF, at_least=0.8)
        bench.compare(group, OBJECTS, IPERF)
        bench.compare(group, FLIGHT, IPERF)


def _door(hub: Any, samples: Samples) -> dict[str, Callable[[], float]]:
    gigabytes = samples.size_bytes / 1e9
    version, bucket = hub.version("bench"), hub.bucket(BUCKET)
    keys = [samples.key(i) for i in samples.shuffled(1)]

    def epoch() -> None:
        got = sum(sum(map(len, batch.blobs)) for batch in version.batches(BATCH, seed=1))
        assert got == samples.size_bytes, "an epoch holds every byte once"

    def objects() -> None:
        for at in range(0, len(keys), 2000):
            bucket.get_many(keys[at : at + 2000])

    return {EPOCH: lambda: rate(gigabytes, epoch), OBJECTS: lambda: rate(gigabytes, objects)}


def _flight(stack: ExitStack, files: Path, size_bytes: int) -> dict[str, Callable[[], float]]:
    from pyarrow import flight

    (port,) = free_ports(1)
    script = str(Path(__file__).with_name("flight_server.py"))
    stack.enter_context(
        running([sys.executable, script, files, port, BATCH], files.parent / "flight.log", port=port)
    )
    client = stack.enter_context(flight.connect(f"grpc://127.0.0.1:{port}"))

    def get() -> None:
        got = sum(chunk.data.column(1).nbytes for chunk in client.do_get(flight.Ticket(b"")))
        assert got >= size_bytes, "a lap holds every byte once"

    return {FLIGHT: lambda: rate(size_bytes / 1e9, get)}
