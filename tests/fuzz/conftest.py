"""The server under fire; each module has its own, so that one that suffers names its cause."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from maruhub import connect
from tests.fuzz.prober import Prober
from tests.serving import serving


@pytest.fixture(scope="module")
def prober(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prober]:
    folder = tmp_path_factory.mktemp("fuzzed")
    options = ("--workers", "1", "--no-care")
    with serving(folder, *options, blades=1) as server, connect(server.hub) as hub:
        prober = Prober(server, hub)
        yield prober
        print(f"{prober.sent:,} requests sent")
        prober.good().close()
