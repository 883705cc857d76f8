"""What the tests of ingest share: names over an empty store, and small trees of files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from maruhub.ingest import IngestOptions, Report, ingest
from maruhub.namespace import Namespace
from maruhub.store.protocol import Store


@pytest.fixture
def ns(store: Store) -> Namespace:
    return Namespace(store, actor="tester")


class Land:
    """Ingests into the bucket ``photos`` and looks at what is there."""

    def __init__(self, ns: Namespace) -> None:
        self.ns = ns

    def __call__(self, source: str | Path, prefix: str = "", **options: object) -> Report:
        options = {"workers": 2} | options
        return ingest(self.ns, source, "photos", prefix, options=IngestOptions(**options))

    def objects(self) -> dict[str, bytes]:
        keys = [info.key for page in self.ns.listing.scan("photos") for info in page]
        return dict(zip(keys, (bytes(b) for b in self.ns.objects.read_many("photos", keys)), strict=True))

    def metadata(self, key: str) -> dict[str, str]:
        return self.ns.objects.head("photos", key).metadata


@pytest.fixture
def land(ns: Namespace) -> Land:
    return Land(ns)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "source")


class Tree:
    """A folder of files, written by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def write(self, files: Mapping[str, bytes]) -> Tree:
        for name, data in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            os.utime(path, ns=(1_700_000_000_123_456_789, 1_700_000_000_123_456_789))
        return self


def reasons(report: Report) -> dict[str, str]:
    """What was refused, and its code."""
    return {refusal.name: refusal.reason for refusal in report.refused}


@pytest.fixture(name="reasons")
def reasons_fixture():
    return reasons
