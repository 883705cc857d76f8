"""The rungs of the tests, what a skip means in CI, and a machine-readable report.

A test's folder below ``tests/`` is its rung and its marker, so ``-m crash`` and
``tests/crash`` select the same. Where ``CI=true``, a skipped test is a failed one: there
every part is installed, so a skip would hide a test that never runs again.
``scripts/run_tests.py`` asks for the report.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

RUNGS = ("tidy", "unit", "contract", "property", "crash", "fuzz", "interop", "e2e", "frameworks")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rungs")
    group.addoption("--rung-report", metavar="FILE", help="write counts, failures and skip reasons as JSON")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    _register_hypothesis_profiles(config)
    report = config.getoption("--rung-report")
    # With workers only the process that hears of all results writes the report.
    if report and not hasattr(config, "workerinput"):
        config.pluginmanager.register(RungReport(Path(report)), "rung-report")


def _register_hypothesis_profiles(config: pytest.Config) -> None:
    """Short by default, ``--hypothesis-profile=long`` for a release; no wall-clock deadline.

    In CI the examples are the same at every run: a red there can be had again here.
    """
    from hypothesis import settings

    in_ci = runs_in_ci()
    settings.register_profile(
        "short", max_examples=50, deadline=None, print_blob=True, derandomize=in_ci, database=None
    )
    settings.register_profile("long", settings.get_profile("short"), max_examples=2000, derandomize=False)
    if not config.getoption("--hypothesis-profile", default=None):
        settings.load_profile("short")


def runs_in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    tests = config.rootpath / "tests"
    for item in items:
        rung = item.path.relative_to(tests).parts[0] if item.path.is_relative_to(tests) else ""
        if rung in RUNGS:
            item.add_marker(rung)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if runs_in_ci() and report.skipped and not hasattr(report, "wasxfail"):
        _fail_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if runs_in_ci() and report.skipped:
        _fail_skipped(report)
    return report


def _fail_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = skip_reason(report)
    report.outcome = "failed"
    report.longrepr = f"skipped, which is a failure where CI=true: {reason}"


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The words after ``Skipped:``; an expected failure gives its own reason."""
    if hasattr(report, "wasxfail"):
        return f"expected to fail: {report.wasxfail}"
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr)


class RungReport:
    """Counts what pytest hears and writes it at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._passed = 0
        self._failed: list[str] = []
        self._skipped: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            # A test that passed and then failed in its teardown is one failed test.
            if report.nodeid not in self._failed:
                self._failed.append(report.nodeid)
            if report.when == "teardown" and self._passed:
                self._passed -= 1
        elif report.skipped:
            self._skipped[skip_reason(report)] += 1
        elif report.when == "call":
            self._passed += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and report.nodeid not in self._failed:
            self._failed.append(report.nodeid)
        elif report.skipped:
            self._skipped[skip_reason(report)] += 1

    def pytest_sessionfinish(self) -> None:
        result: dict[str, Any] = {
            "passed": self._passed,
            "failed": self._failed,
            "skipped": dict(self._skipped),
        }
        self._path.write_text(json.dumps(result))
