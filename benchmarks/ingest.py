"""Ingest of a folder beside ``cp -r`` and ``sync`` of the same folder.

    python benchmarks/ingest.py [--files 20000] [--laps 3] [--folder TMP] [--json OUT]

Laps alternate, since machines drift; medians and the ratio of the medians are shown. The
source is warm in memory for both. Both end durable: ingest acknowledges only what is
synced, and the copy is followed by ``sync -f`` of its file system; before each lap the
same sync runs untimed, so that nobody pays for the one before. The hub has one blade (and
three, for the price of copies) in the same file system. Two loads: files of 50 KB, and
files of 1 KB to 5 MB (log-uniform) of the same total.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maruhub import compose
from maruhub.ingest import IngestOptions, Report, ingest
from maruhub.namespace import Namespace

SIZE = 50_000
FILES_A_FOLDER = 500


def main() -> None:
    arguments = parse()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="maru-bench-") as made:
        for load, sizes in loads(arguments.files).items():
            source = Path(made) / f"source-{load}"
            fill(source, sizes)
            results += measure(load, source, Path(made), sizes=sizes, laps=arguments.laps)
            shutil.rmtree(source)
    show(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--laps", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def loads(files: int) -> dict[str, list[int]]:
    """The sizes of each load's files."""
    dice, mixed, total = random.Random(1), [], 0
    while total < files * SIZE:
        mixed.append(int(1000 * 5000 ** dice.random()))
        total += mixed[-1]
    return {"50 KB": [SIZE] * files, "1 KB–5 MB": mixed}


def fill(folder: Path, sizes: list[int]) -> None:
    dice = random.Random(2)
    block = dice.randbytes(8 << 20)
    for i, size in enumerate(sizes):
        path = folder / f"class-{i // FILES_A_FOLDER:03}" / f"{i:06}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        at = dice.randrange(len(block) - size)
        path.write_bytes(block[at : at + size])


def measure(load: str, source: Path, folder: Path, *, sizes: list[int], laps: int) -> list[dict[str, Any]]:
    """Alternates the copy and the ingests; one row a way."""
    ways: dict[str, Callable[[], float]] = {
        "cp -r + sync": lambda: copy(source, folder),
        "ingest, 1 blade": lambda: land(source, folder, blades=1),
        "ingest, 3 blades": lambda: land(source, folder, blades=3),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(laps):
        for name, way in ways.items():
            subprocess.run(["sync", "-f", folder], check=True)
            seconds[name].append(way())
    seconds["ingest again, 1 blade"] = [land_again(source, folder)]
    base = statistics.median(seconds["cp -r + sync"])
    return [
        {
            "load": load,
            "way": name,
            "seconds": statistics.median(each),
            "all_seconds": each,
            "files_per_s": len(sizes) / statistics.median(each),
            "mb_per_s": sum(sizes) / 1e6 / statistics.median(each),
            "speed_of_cp": base / statistics.median(each),
        }
        for name, each in seconds.items()
    ]


def copy(source: Path, folder: Path) -> float:
    target = folder / "copy"
    start = time.perf_counter()
    subprocess.run(["cp", "-r", source, target], check=True)
    subprocess.run(["sync", "-f", target], check=True)
    taken = time.perf_counter() - start
    shutil.rmtree(target)
    return taken


def land(source: Path, folder: Path, *, blades: int) -> float:
    pool = compose.create_pool(folder / "hub", n=blades)
    report = one_ingest(pool, source)
    pool.close()
    shutil.rmtree(folder / "hub")
    assert report.complete, report
    assert not report.refused_total, report
    return report.seconds


def land_again(source: Path, folder: Path) -> float:
    pool = compose.create_pool(folder / "hub", n=1)
    one_ingest(pool, source)
    report = one_ingest(pool, source)
    pool.close()
    shutil.rmtree(folder / "hub")
    assert report.stored == report.bytes_read == 0, report
    return report.seconds


def one_ingest(pool: compose.OpenPool, source: Path) -> Report:
    return ingest(Namespace(pool.store, "bench"), source, "bench", options=IngestOptions(labels="folder"))


def show(results: list[dict[str, Any]]) -> None:
    print(f"{'load':<12}{'way':<24}{'seconds':>9}{'files/s':>10}{'MB/s':>8}{'× cp':>8}")
    for row in results:
        print(
            f"{row['load']:<12}{row['way']:<24}{row['seconds']:>9.2f}{row['files_per_s']:>10,.0f}"
            f"{row['mb_per_s']:>8,.0f}{row['speed_of_cp']:>8.2f}"
        )


if __name__ == "__main__":
    main()
