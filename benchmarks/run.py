"""Measures this machine: the hub beside plain files, fio, other servers and other loaders.

    python benchmarks/run.py [--quick] [--scratch FOLDER] [--results FOLDER] [NAME …]

Each benchmark runs in a process of its own, in a folder of its own on the drive of
``--scratch``, which is removed after. ``--quick`` is for trying that they run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

_HEAP = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "MALLOC_TOP_PAD_": str(16 << 20),
}
"""glibc hands freed memory at the heap's end back at once: by the luck of its layout a plain
file's buffer is then faulted in anew at every read, at 50 us a file of 50 KiB instead of 13.
Memory that is kept is the best case of plain files, and takes luck out of the comparison."""

NAMES = (
    "import_time",
    "warm_reads",
    "cold_reads",
    "durable_puts",
    "ingest",
    "listing_page",
    "opening",
    "loader_memory",
    "index",
    "catalog",
    "parity",
    "space",
    "protection",
    "rebuild",
    "outage",
    "batch_door",
    "loaders",
    "loaders_large",
    "loaders_mixed",
    "loaders_small",
    "tf_data",
    "loaders_sequential",
    "accelerators",
    "resume",
    "stages",
    "gateway_reads",
    "gateway_writes",
    "gateway_large",
    "gateway_listing",
    "gateway_idle",
)


def main() -> int:
    """Runs what is named, or everything; 1 if something failed."""
    options = _options()
    if options.page:
        _summarise(options.results)
        return 0
    names = options.names or list(NAMES)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=_made(options.scratch)) as scratch:
        if options.one:
            _run_one(
                options.one, Path(scratch), quick=options.quick, results=options.results, drive=options.drive
            )
            return 0
        drive = json.dumps(_drive(Path(scratch), quick=options.quick))
    failed = [name for name in names if not _run(name, options, drive)]
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    else:
        _summarise(options.results)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all if none")
    parser.add_argument("--quick", action="store_true", help="small: does it run?")
    parser.add_argument(
        "--scratch", type=Path, default=ROOT / "build", help="a folder on the drive to measure"
    )
    parser.add_argument("--results", type=Path, help="where results go")
    parser.add_argument("--page", action="store_true", help="measure nothing: make the page from results")
    parser.add_argument("--one", choices=NAMES, help=argparse.SUPPRESS)
    parser.add_argument("--drive", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    # A quick run says nothing about the machine: it must not replace what does.
    options.results = options.results or (ROOT / "build" / "quick" if options.quick else _results())
    return options


def _results() -> Path:
    return ROOT / "benchmarks" / "results"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _drive(scratch: Path, *, quick: bool) -> dict[str, float] | None:
    from benchmarks.drive import has_fio, measure_drive

    if not has_fio():
        print("fio is not installed: what the drive gives is left out.", file=sys.stderr)
        return None
    return measure_drive(scratch, size_bytes=(16 if quick else 2048) << 20)


def _run(name: str, options: argparse.Namespace, drive: str) -> bool:
    print(f"{name} …", flush=True)
    begun = time.perf_counter()
    where = ["--scratch", str(options.scratch), "--results", str(options.results), "--drive", drive]
    command = [sys.executable, __file__, "--one", name, *where, *(["--quick"] if options.quick else [])]
    done = subprocess.run(command, check=False, env={**os.environ, **_HEAP})
    print(f"{name}: {time.perf_counter() - begun:.0f} s\n", flush=True)
    return done.returncode == 0


def _run_one(name: str, scratch: Path, *, quick: bool, results: Path, drive: dict[str, Any] | None) -> None:
    from benchmarks import report
    from benchmarks.harness import Bench
    from benchmarks.machine import Company, machine_facts
    from benchmarks.site import Missing

    module = importlib.import_module(f"benchmarks.{name}")
    bench = Bench(scratch, quick)
    machine = machine_facts(scratch)
    machine["drive"]["measured"] = drive
    company = Company()
    try:
        module.measure(bench)
    except Missing as missing:
        print(f"{name} is left out: {missing} is not on this machine.", file=sys.stderr)
        return
    others = company.cores()
    if others > 0.1:
        bench.note(f"Not a quiet machine: others used {others:.1f} of {machine['cores']} cores meanwhile.")
    head = {
        "name": name,
        "title": module.TITLE,
        "about": " ".join((module.__doc__ or "").replace("``", "`").split()),
        "quick": quick,
        "machine": machine,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    result = head | bench.to_json()
    report.write(results, result)
    print(report.markdown(result))


def _summarise(results: Path) -> None:
    """One page over all results that are there; that of this machine's full runs is a document."""
    from benchmarks import page

    found = [
        json.loads((results / f"{name}.json").read_text())
        for name in NAMES
        if (results / f"{name}.json").exists()
    ]
    target = ROOT / "docs" / "benchmarks.md" if results == _results() else results / "benchmarks.md"
    profiles = {name: getattr(importlib.import_module(f"benchmarks.{name}"), "PROFILE", "") for name in NAMES}
    target.write_text(page.write(found, profiles))
    print(target.relative_to(ROOT) if target.is_relative_to(ROOT) else target)


if __name__ == "__main__":
    sys.exit(main())
