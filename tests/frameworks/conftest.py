"""A hub with a dataset for the tests of adapters, which run only where their frameworks are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import maruhub
from maruhub.api.hub import Hub
from tests.frameworks.samples import SAMPLES, commit_samples

# `make test-frameworks` runs each group in its own environment; elsewhere none can be imported.
if Path(sys.prefix).parent.name != ".frameworks":
    collect_ignore_glob = ["*/test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Frameworks warn each other of their next releases: only a warning of ours is an error."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("default", r"error:::maruhub\."))
            # Some start processes that import a framework each.
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub in the folder ``hub`` of the working folder, with the dataset ``digits``."""
    monkeypatch.chdir(tmp_path)
    with maruhub.create("hub", blades=1) as hub:
        commit_samples(hub, "digits", SAMPLES)
        yield hub
