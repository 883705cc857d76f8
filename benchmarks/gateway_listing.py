"""Pages of 1,000 keys over HTTP from a bucket of a million, beside the same pages in a process."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from benchmarks import wrk
from benchmarks.bulk import put_rows
from benchmarks.harness import Bench, in_turns, rate
from benchmarks.maru_serve import maru_serve
from benchmarks.samples import make_hub
from benchmarks.site import Site
from maruhub import compose
from maruhub.namespace import Namespace

TITLE = "HTTP: listing"
PAGE = 1000
BUCKET = "million"
_FOLDERS = 1000
_SMALLEST_PAGE = PAGE * 100
ALONE, EIGHT = "maru serve: signed ListObjectsV2", "maru serve: signed ListObjectsV2, 8 connections"
HUB = "hub: a page in a process"


def measure(bench: Bench) -> None:
    size = bench.pick(1_000_000, 5_000)
    hub = bench.scratch / "hub"
    pool, ns = make_hub(hub)
    put_rows(ns, BUCKET, [_key(i, size) for i in range(size)])
    pool.close()
    draw = random.Random(1)
    starts = [_key(draw.randrange(size - PAGE), size) for _ in range(500)]
    pool = compose.open_pool(hub)
    inside = Namespace(pool.store, "bench@here")
    with maru_serve(hub) as site:
        requests = _requests(bench.scratch / "requests", site, starts)
        _check(site, starts[0])
        found = in_turns(_laps(bench, site, requests, inside, starts), bench.pick(5, 1), warm_up=True)
    pool.close()
    group = bench.group(f"Pages of {PAGE:,} keys out of {size:,}", "pages/s", found)
    bench.compare(group, ALONE, HUB)
    slowest = 1e3 / min(found[ALONE])
    bench.limit(
        f"A page of {PAGE:,} keys out of {size:,}, signed, one after the other, slowest round",
        "ms",
        slowest,
        at_most=50,
    )
    bench.note(
        "50 ms a page are 20 pages a second. Client (wrk) on the same machine; pages from random places."
    )


def _laps(
    bench: Bench, site: Site, requests: Path, inside: Namespace, starts: list[str]
) -> dict[str, Callable[[], float]]:
    def over_http(connections: int) -> float:
        return wrk.send(
            site, requests, connections=connections, seconds=bench.pick(3, 1), answer_bytes=_SMALLEST_PAGE
        ).rate

    def in_process() -> None:
        for start in starts:
            page = inside.listing.page(BUCKET, start_after=start, limit=PAGE)
            assert len(page.objects) == PAGE

    return {
        ALONE: lambda: over_http(1),
        EIGHT: lambda: over_http(8),
        HUB: lambda: rate(len(starts), in_process),
    }


def _key(i: int, size: int) -> str:
    """A thousand folders, evenly filled."""
    return f"{i * _FOLDERS // size:04}/{i:09}.jpg"


def _query(start: str) -> str:
    return f"list-type=2&max-keys={PAGE}&start-after={quote(start, safe='')}"


def _requests(path: Path, site: Site, starts: list[str]) -> Path:
    return wrk.write_requests(path, [site.link(f"/{BUCKET}", _query(start)) for start in starts])


def _check(site: Site, start: str) -> None:
    """A page has its thousand keys."""
    page = site.ask("GET", site.link(f"/{BUCKET}", _query(start)))
    assert page.count(b"<Key>") == PAGE, page[:500]
