"""The page on bad input keeps its word: every reason stands in it, every test it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from maruhub.ingest import Reason

TESTS = Path(__file__).parents[2]
PAGE = (TESTS.parent / "docs" / "reference" / "bad-input.md").read_text()
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained(reason: Reason) -> None:
    assert f"`{reason}`" in PAGE


@pytest.mark.parametrize(("file", "test"), sorted(set(NAMED)))
def test_every_test_that_is_named_exists(file: str, test: str) -> None:
    assert re.search(rf"^\s*def {test}\(", (TESTS / file).read_text(), re.MULTILINE)
