"""What is kept of answers to texts that come again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maruhub.wire.recall import recalled


def _counted() -> tuple[list[str], Callable[[str], int]]:
    asked: list[str] = []

    def length(text: str) -> int:
        asked.append(text)
        if not text:
            raise ValueError("empty")
        return len(text)

    return asked, recalled(length)


def test_a_short_text_is_asked_about_once_and_a_long_one_never_kept():
    asked, length = _counted()
    assert [length("a"), length("a"), length("x" * 500), length("x" * 500)] == [1, 1, 500, 500]
    assert asked == ["a", "x" * 500, "x" * 500]


def test_what_was_raised_is_raised_again():
    asked, length = _counted()
    for _ in range(2):
        with pytest.raises(ValueError, match="empty"):
            length("")
    assert asked == ["", ""]


def test_old_answers_are_let_go():
    asked, length = _counted()
    for i in range(3000):
        length(str(i))
    length("0")
    assert asked.count("0") == 2
