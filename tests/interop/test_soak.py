"""Hours of mixed load: what a worker holds stays as it is. Some seconds of it in a run of all tests."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections import Counter
from pathlib import Path

from tests.interop.soaking import BUCKET, Client, Held, held
from tests.serving import maru, serving

SECONDS = float(os.environ.get("MARU_SOAK_S", "20"))
PAUSE_S = float(os.environ.get("MARU_SOAK_PAUSE_S", "0.05"))
CLIENTS = 8
GROWTH_KIB = 24 << 10
"""Between a run's second quarter and its last: what an allocator keeps, and nothing a request leaves."""
GROWTH_DESCRIPTORS = 12
"""What is open at a moment for the requests under way; none is left open by one that has ended."""


def test_what_a_worker_holds_stays_as_it_is(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "2", blades=3) as server:
        key, stop = server.key("ann"), threading.Event()
        # What is overwritten may be freed at once: hours of it must not fill a drive.
        maru(server.hub, "mb", BUCKET, "--delay", "0s")
        maru(server.hub, "chown", BUCKET, "ann")
        clients = [Client(server, key, number, PAUSE_S, stop) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            seen = _watched(server.workers(), time.monotonic() + SECONDS)
        finally:
            stop.set()
            for client in clients:
                client.join()
        done = sum((client.done for client in clients), Counter[str]())
        print(f"{SECONDS:.0f} s, {done.total():,} requests: {dict(sorted(done.items()))}")
        for pid, course in seen.items():
            _told(pid, course)
        assert [wrong for client in clients for wrong in client.wrong] == []
        assert "Traceback" not in server.log, server.log[-4000:]
        assert server.workers() == list(seen)
        assert all(done[kind] for kind in ("put", "get", "batch", "parts", "forged", "cut_body"))
        for course in seen.values():
            early, late = _quarter(course, 1), _quarter(course, 3)
            assert late.memory_kib - early.memory_kib < GROWTH_KIB
            assert late.descriptors - early.descriptors < GROWTH_DESCRIPTORS


def _watched(pids: list[int], until: float) -> dict[int, list[Held]]:
    """What each worker held, each half second."""
    seen: dict[int, list[Held]] = {pid: [] for pid in pids}
    while time.monotonic() < until:
        for pid, course in seen.items():
            course.append(held(pid))
        time.sleep(0.5)
    return seen


def _quarter(course: list[Held], number: int) -> Held:
    """The medians of one of four quarters."""
    size = len(course) // 4
    part = course[number * size : (number + 1) * size]
    return Held(
        int(statistics.median(each.memory_kib for each in part)),
        int(statistics.median(each.descriptors for each in part)),
        int(statistics.median(each.of_segments for each in part)),
    )


def _told(pid: int, course: list[Held]) -> None:
    quarters = [_quarter(course, number) for number in range(4)]
    memory = ", ".join(f"{each.memory_kib / 1024:.1f}" for each in quarters)
    descriptors = ", ".join(str(each.descriptors) for each in quarters)
    of_segments = ", ".join(str(each.of_segments) for each in quarters)
    print(f"worker {pid}, medians of each quarter: {memory} MiB; {descriptors} descriptors;")
    print(f"    and {of_segments} of segments")
