"""A hub, and the file system on it as fsspec makes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

import maruhub
from maruhub.api.hub import Hub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        hub.namespace.buckets.create("photos")
        yield hub


@pytest.fixture
def fs(hub: Hub) -> Any:
    return fsspec.filesystem("maru", hub=hub, skip_instance_cache=True)
