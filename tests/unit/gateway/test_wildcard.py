"""Patterns: the same answer as a simple model, and never slow."""

from __future__ import annotations

import fnmatch
import itertools
import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.gateway.s3.policies.wildcard import matches, meets


def _model(pattern: str, text: str) -> bool:
    expression = "".join({"*": "(?s:.*)", "?": "(?s:.)"}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(expression, text) is not None


@given(st.text("ab*?", max_size=9), st.text("ab*\n", max_size=12))
def test_it_is_what_the_model_says(pattern: str, text: str):
    assert matches(pattern, text) is _model(pattern, text)


@given(st.text("ab?", min_size=1, max_size=4), st.text("ab", max_size=80))
def test_a_long_text_is_looked_through_to_its_end(piece: str, text: str):
    assert matches(f"*{piece}*{piece}a*", text) is _model(f"*{piece}*{piece}a*", text)


@given(st.text("ab*?", max_size=5), st.text("ab", max_size=4))
def test_a_pattern_meets_a_beginning_where_some_text_behind_it_fits(pattern: str, beginning: str):
    behind = ("".join(text) for size in range(6) for text in itertools.product("ab", repeat=size))
    assert meets(pattern, beginning) is any(_model(pattern, beginning + text) for text in behind)


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


def test_a_piece_that_nearly_fits_everywhere_takes_no_step_for_each_place_and_character():
    def seconds(act: Callable[[], object]) -> float:
        begun = time.process_time()
        act()
        return time.process_time() - begun

    text, pattern = "a" * 2000, f"*{'a' * 1000}?b*"
    assert not matches(pattern, text)
    # Step by step it would be a million.
    some_steps = min(seconds(lambda: sum(1 for _ in range(200_000))) for _ in range(5))
    assert min(seconds(lambda: matches(pattern, text)) for _ in range(5)) < 2 * some_steps
