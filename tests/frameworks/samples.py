"""What the tests of adapters read: samples of which each tells which one it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from maruhub.api.hub import Hub

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = 203
"""A prime number more than 200: no batch size and no world divides it."""
SIDE = 8
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pixels(number: int) -> bytes:
    """The bytes of a sample: an 8 x 8 picture, bright where its label says, then its number."""
    picture = np.random.default_rng(number).integers(0, 50, SIDE * SIDE)
    bright = 6 * (number % 10)
    picture[bright : bright + 6] += 200
    return picture.astype(np.uint8).tobytes() + number.to_bytes(4, "little")


def number_of(data: Any) -> int:
    """Which sample it is, from its bytes."""
    return int.from_bytes(bytes(data)[-4:], "little")


def commit_samples(hub: Hub, name: str, count: int) -> Any:
    """A dataset of ``count`` samples with the labels ``label`` and ``weight``."""
    bucket = hub.bucket(f"{name}-raw")
    bucket.put_many({f"{number:06}": pixels(number) for number in range(count)})
    dataset = hub.dataset(name)
    ids = dataset.commit(bucket.name).ids()
    numbers = [int(each.rpartition("/")[2]) for each in ids]
    labels = {"id": ids, "label": [n % 10 for n in numbers], "weight": [n / 2 for n in numbers]}
    return dataset.label(pa.table(labels)).version


def run_guide(page: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """Runs the Python blocks of a guide one after the other in the working folder, as a reader would."""
    path = ROOT / "docs" / "guides" / page
    blocks = BLOCK.findall(path.read_text())
    assert blocks, f"{page} has no Python in it"
    scope = {"__name__": "__main__", **(names or {})}
    for block in blocks:
        exec(compile(block, str(path), "exec"), scope)
    return scope
