"""Servers that the tests of a module share; each test takes buckets of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a hub of six blades, two workers."""
    with serving(tmp_path_factory.mktemp("served"), "--workers", "2") as running:
        yield running
