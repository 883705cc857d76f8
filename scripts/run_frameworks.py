"""Runs the tests of the adapters, group by group, each in the environment of its frameworks.

``scripts/frameworks`` makes the environments; one that can't be made is a failure of its group.
The summary is in the words of ``scripts/run_tests.py``, and each group says what it takes on disk.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from scripts.run_tests import ROOT, RungResult, run_pytest, summarise

TESTS = ROOT / "tests" / "frameworks"
HOMES = ROOT / ".frameworks"


def main() -> int:
    """Runs the groups named on the command line, or all."""
    known = sorted(path.stem for path in TESTS.glob("*.in"))
    parser = argparse.ArgumentParser(prog="run_frameworks.py", description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of: {', '.join(known)} (default: all)")
    groups = parser.parse_args().groups or known
    if unknown := sorted(set(groups) - set(known)):
        parser.error(f"no such group: {', '.join(unknown)}")
    results = [_run(group) for group in groups]
    return summarise(results, "group")


def _run(group: str) -> RungResult:
    print(f"\n=== {group} ===", flush=True)
    start = time.monotonic()
    made = subprocess.run([ROOT / "scripts" / "frameworks", group], cwd=ROOT, check=False)
    if made.returncode:
        failed = [f"tests/frameworks/{group}: its environment can't be made"]
        return RungResult(group, failed=failed, seconds=time.monotonic() - start)
    print(f"{group}: {_size(HOMES / group)} MB installed, after {time.monotonic() - start:.0f} s", flush=True)
    python = HOMES / group / "bin" / "python"
    result = run_pytest(group, TESTS / group, python=str(python))
    result.seconds = time.monotonic() - start
    return result


def _size(folder: Path) -> int:
    """Megabytes that a folder takes."""
    blocks = (path.lstat().st_blocks for path in folder.rglob("*"))
    return round(sum(blocks) * 512 / 1e6)


if __name__ == "__main__":
    sys.exit(main())
