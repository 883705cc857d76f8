"""What tests of connections share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from maruhub.gateway.serve.crossing import Crossing
from tests.unit.gateway.ends import Ends


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


@pytest.fixture
def crossing() -> Iterator[Crossing]:
    made = Crossing(2, 8)
    yield made
    made.close()
