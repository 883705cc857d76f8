"""Patterns: the same answer as a simple model, and never slow."""

from __future__ import annotations

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.gateway.s3.wildcard import matches


def _model(pattern: str, text: str) -> bool:
    expression = "".join({"*": "(?s:.*)", "?": "(?s:.)"}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(expression, text) is not None


@given(st.text("ab*?", max_size=9), st.text("ab*\n", max_size=12))
def test_it_is_what_the_model_says(pattern: str, text: str):
    assert matches(pattern, text) is _model(pattern, text)


@given(st.text("ab*", max_size=9), st.text("ab", max_size=12))
def test_without_question_marks_too(pattern: str, text: str):
    assert matches(pattern, text) is fnmatch.fnmatchcase(text, pattern)


@pytest.mark.parametrize(
    "pattern", ["*a" * 400 + "*b", "?*a" * 400 + "b", "*" * 10_000 + "b", "*" * 5000 + "?b"]
)
def test_no_pattern_takes_long(pattern: str):
    def seconds(length: int) -> float:
        begun = time.process_time()
        assert not matches(pattern, "a" * length)
        return time.process_time() - begun

    # At most pattern x text steps: four times the text may take four times as long, not for ever.
    assert min(seconds(2000) for _ in range(3)) < 0.001 + 16 * min(seconds(500) for _ in range(3))
