"""The suite that fsspec ships for its file systems, over ours: copies, gets, puts, pipes, opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fsspec
import pytest
from fsspec.tests import abstract

from maruhub.api.hub import Hub


class Ours(abstract.AbstractFixtures):
    @pytest.fixture
    def fs(self, hub: Hub) -> Any:
        return fsspec.filesystem("maru", hub=hub, skip_instance_cache=True)

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return lambda *parts: "/".join(parts)

    @pytest.fixture
    def fs_path(self) -> str:
        return "photos/suite"

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        return False


class TestCopies(Ours, abstract.AbstractCopyTests):
    pass


class TestGets(Ours, abstract.AbstractGetTests):
    pass


class TestPuts(Ours, abstract.AbstractPutTests):
    pass


class TestPipes(Ours, abstract.AbstractPipeTests):
    pass


class TestOpens(Ours, abstract.AbstractOpenTests):
    pass


def test_the_suite_is_the_one_that_was_meant() -> None:
    """A suite that lost its tests would pass."""
    kinds = (TestCopies, TestGets, TestPuts, TestPipes, TestOpens)
    tests: list[Any] = [name for kind in kinds for name in dir(kind) if name.startswith("test_")]
    assert len(tests) > 40
