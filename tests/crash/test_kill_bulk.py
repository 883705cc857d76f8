"""A process that writes in bulk is killed; what it has acknowledged is whole, and it left no litter."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from pathlib import Path

import maruhub
from maruhub import compose
from maruhub.api import Hub
from maruhub.store.seal.source import files_of

ROUNDS = 8
OBJECTS = 20
OBJECT_BYTES = 600_000
WRITER = f"""
import random, sys
import maruhub
bucket = maruhub.connect(sys.argv[1]).bucket("pets")
chance = random.Random(sys.argv[2])
for batch in range(1000):
    items = {{f"{{sys.argv[2]}}-{{batch}}-{{n}}": chance.randbytes({OBJECT_BYTES}) for n in range({OBJECTS})}}
    bucket.put_many(items)
    print(batch, flush=True)
"""


def contents(seed: str, batch: int) -> dict[str, str]:
    """SHA-256 by key of a writer's batch."""
    chance = random.Random(seed)
    datas: list[bytes] = []
    for _ in range(batch + 1):
        datas = [chance.randbytes(OBJECT_BYTES) for _ in range(OBJECTS)]
    return {f"{seed}-{batch}-{n}": hashlib.sha256(data).hexdigest() for n, data in enumerate(datas)}


def kill_one(hub: Path, seed: str, chance: random.Random) -> int:
    """Runs a writer for a few batches and a bit, and kills it; how many it has acknowledged."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, hub, seed], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(chance.choice((1, 2)))]
    try:
        process.wait(chance.uniform(0.0, 0.15))
    except subprocess.TimeoutExpired:
        process.kill()
    more, _ = process.communicate()
    return 1 + int([*said, *more.split()][-1])


def require_whole(hub: Hub, seed: str, acknowledged: int) -> None:
    bucket = hub.bucket("pets")
    for batch in range(acknowledged + 1):
        wanted = contents(seed, batch)
        there = [key for key in wanted if key in bucket]
        assert len(there) == OBJECTS if batch < acknowledged else len(there) in (0, OBJECTS)
        for key in there:
            assert hashlib.sha256(bucket[key]).hexdigest() == wanted[key], key


def test_a_killed_bulk_writer_leaves_whole_batches_and_no_litter(tmp_path: Path):
    blades = [tmp_path / f"b{number}" for number in range(6)]
    compose.create_pool(tmp_path / "hub", blades=blades, segment_bytes=32 << 20).close()
    chance = random.Random(1)
    straight = 0
    for number in range(ROUNDS):
        acknowledged = kill_one(tmp_path / "hub", f"w{number}", chance)
        with maruhub.connect(tmp_path / "hub") as hub:
            require_whole(hub, f"w{number}", acknowledged)
            with hub.store.acting() as acts:  # type: ignore[attr-defined]
                acts.sweep()
            layouts = list(hub.store.layouts())
            straight = sum(layout.strips is not None for layout in layouts)
            named = {name for layout in layouts for _, name in files_of(layout)}
            assert {path.name for blade in blades for path in (blade / "segments").iterdir()} == named
    assert straight >= ROUNDS
