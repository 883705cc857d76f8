"""A pool with some objects in it, and what a process has open of one."""

from __future__ import annotations

import os
from pathlib import Path

from maruhub.compose import OpenPool
from maruhub.namespace import Namespace


def fill(pool: OpenPool, count: int = 20) -> dict[str, bytes]:
    """Puts, overwrites and deletes some; returns what must be there."""
    objects = {f"dir/{i}": os.urandom(i * 997) for i in range(count)}
    namespace = Namespace(pool.store, "me")
    for key, data in objects.items():
        namespace.objects.put("photos", key, data, create_bucket=True)
    namespace.objects.put("photos", "dir/1", b"again")
    namespace.objects.delete_many("photos", ["dir/0"])
    del objects["dir/0"]
    return {**objects, "dir/1": b"again"}


def held(pool: OpenPool) -> dict[str, bytes]:
    """What is there."""
    namespace = Namespace(pool.store)
    pages = list(namespace.listing.scan("photos"))
    return {o.key: bytes(namespace.objects.read("photos", o.key)) for page in pages for o in page}


def held_open(folder: Path) -> list[str]:
    """What this process has open or mapped below a folder."""
    links = [Path("/proc/self/fd", number) for number in os.listdir("/proc/self/fd")]
    opened = [os.readlink(link) for link in links if os.path.lexists(link)]
    mapped = [line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text().splitlines()]
    return sorted({path for path in (*opened, *mapped) if path.startswith(f"{folder}/")})
