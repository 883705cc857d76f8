"""Runs the tests rung by rung, from the cheapest to the whole, and sums up.

Each rung is a pytest of its own, in an order in which the first red one names the layer:
when `store`'s contract is red, what the demo says above it need not be read. All rungs
run, so that one pass shows everything. The last line is for programs that count.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Two workers where tests are many and alone; one where they measure, or use the whole machine.
WORKERS = {
    "tidy": 0,
    "unit": 2,
    "contract": 2,
    "property": 2,
    "crash": 2,
    "fuzz": 2,
    "interop": 0,
    "e2e": 0,
}
# Not rungs of this run: `make test-frameworks` runs them, each where its frameworks are installed.
ELSEWHERE = {"frameworks"}
EXIT_NO_TESTS = 5


@dataclass
class RungResult:
    """What one rung's pytest reported."""

    name: str
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """One word for the summary."""
        if self.failed:
            return "FAILED"
        return "ok" if self.passed or self.skipped else "no tests"


def main() -> int:
    """Runs the rungs named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rungs", nargs="*", metavar="RUNG", help=f"of: {', '.join(WORKERS)} (default: all)")
    rungs = parser.parse_args().rungs or [*WORKERS, *_other_tests()]
    unknown = [rung for rung in rungs if not (ROOT / "tests" / rung).exists() and rung not in WORKERS]
    if unknown:
        parser.error(f"no such rung: {', '.join(unknown)}")
    results = [_run(rung) for rung in rungs]
    return summarise(results, "rung")


def _other_tests() -> list[str]:
    """Tests that lie in no rung's folder run last, so that none is forgotten."""
    tests = ROOT / "tests"
    found = {path.relative_to(tests).parts[0] for path in tests.rglob("test_*.py")}
    return sorted(found - WORKERS.keys() - ELSEWHERE)


def _run(rung: str) -> RungResult:
    folder = ROOT / "tests" / rung
    print(f"\n=== {rung} ===", flush=True)
    if not folder.exists():
        return RungResult(rung)
    return run_pytest(rung, folder, python=sys.executable, workers=WORKERS.get(rung, 0))


def run_pytest(name: str, folder: Path, *, python: str, workers: int = 0) -> RungResult:
    """Runs a folder's tests with an interpreter; what they reported, by the name given."""
    with tempfile.TemporaryDirectory(prefix="maru-tests-") as scratch:
        report = Path(scratch) / "report.json"
        command = [python, "-m", "pytest", str(folder), "-q", "--rung-report", str(report)]
        command += ["--durations=3", "--durations-min=5"]
        if workers:
            command += ["-n", str(workers), "--dist", "worksteal"]
        start = time.monotonic()
        status = subprocess.run(command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL).returncode
        seconds = time.monotonic() - start
        return _result(name, folder, report, status=status, seconds=seconds)


def _result(name: str, folder: Path, report: Path, *, status: int, seconds: float) -> RungResult:
    result = RungResult(name, seconds=seconds)
    if report.exists():
        found = json.loads(report.read_text())
        result.passed, result.failed, result.skipped = found["passed"], found["failed"], found["skipped"]
    # A pytest that died, or failed for no test's sake, must not count as green.
    if status not in (0, EXIT_NO_TESTS) and not result.failed:
        result.failed = [f"{folder.relative_to(ROOT)}: pytest itself ended with status {status}"]
    return result


def summarise(results: list[RungResult], kind: str) -> int:
    """Prints what ran and what came of it; the exit status. ``kind`` says what a result is of."""
    print("\n=== summary ===")
    for result in results:
        skipped = sum(result.skipped.values())
        counts = f"{result.passed:5} passed {len(result.failed):4} failed {skipped:4} skipped"
        print(f"{result.name:10} {result.verdict:9} {counts} {result.seconds:7.1f} s")
    reasons: Counter[str] = Counter()
    for result in results:
        reasons.update(result.skipped)
    for reason, count in reasons.most_common():
        print(f"skipped {count} x: {reason}")
    red = [result for result in results if result.failed]
    for result in red:
        print(*(f"failed: {test}" for test in result.failed), sep="\n")
    if red:
        print(f"The first red {kind} is '{red[0].name}': begin there.")
    passed = sum(result.passed for result in results)
    failed = sum(len(result.failed) for result in results)
    print(f"{passed} passed, {failed} failed, {reasons.total()} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
