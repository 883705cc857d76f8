"""The same hub twice: in this process, and over the network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import maruhub
from maruhub.api.hub import Hub
from maruhub.remote import RemoteHub
from tests.contract.hubs.server import KEY, SECRET, BatchServer


@dataclass
class Served:
    """A local hub, its server, and a client of that. A test may put another server in its place."""

    local: Hub
    server: BatchServer
    remote: RemoteHub


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Hub]:
    with maruhub.create(tmp_path / "hub", blades=1, actor="me@here") as hub:
        yield hub


@pytest.fixture
def served(local: Hub) -> Iterator[Served]:
    server = BatchServer(local)
    with maruhub.connect(server.url, access_key=KEY, secret_key=SECRET) as remote:
        made = Served(local, server, remote)
        try:
            yield made
        finally:
            # That which is there now: a test may have closed the first one and begun another, and
            # one that is left running keeps the whole process from its end.
            made.server.close()


@pytest.fixture(params=["local", "remote"])
def hub(request: pytest.FixtureRequest, served: Served) -> Any:
    """What the suite runs over."""
    return served.local if request.param == "local" else served.remote
