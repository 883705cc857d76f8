"""Globs of names."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maruhub.ingest.pattern import Filter, depth, split_glob


@pytest.mark.parametrize(
    ("pattern", "name", "taken"),
    [
        ("*.jpg", "a.jpg", True),
        ("*.jpg", "deep/er/a.jpg", True),
        ("*.jpg", "a.jpg/x", False),
        ("*.jpg", "a.png", False),
        ("/*.jpg", "a.jpg", True),
        ("/*.jpg", "b/a.jpg", False),
        ("cats/*.jpg", "cats/a.jpg", True),
        ("cats/*.jpg", "big/cats/a.jpg", False),
        ("cats/*.jpg", "cats/b/a.jpg", False),
        ("**/*.jpg", "a.jpg", True),
        ("**/*.jpg", "x/y/a.jpg", True),
        ("cats/**", "cats/x/y", True),
        ("cats/**/a?.[jp]*", "cats/x/ab.png", True),
        ("a[!0-9].jpg", "a5.jpg", False),
        ("a[!0-9].jpg", "ab.jpg", True),
        ("a[!0-9]b", "a/b", False),
        ("a[b-]", "a-", True),
        ("a[z-a]", "az", False),
        ("[]]", "]", True),
        ("a.jpg", "aXjpg", False),
        ("[", "[", True),
        ("a+(b)", "a+(b)", True),
    ],
)
def test_include(pattern: str, name: str, taken: bool) -> None:
    assert Filter((pattern,)).takes(name) is taken


def test_an_exclusion_leaves_whole_folders_out() -> None:
    some = Filter((), (".git", "tmp/*"))
    assert not some.enters(".git")
    assert not some.enters("deep/.git")
    assert not some.takes(".git/config")
    assert not some.takes("tmp/x/y")
    assert some.takes("gitter/.gitignore")


def test_an_exclusion_beats_an_inclusion() -> None:
    assert not Filter(("*.jpg",), ("bad*",)).takes("bad.jpg")


@given(st.text(alphabet="ab/.*?[]!-\\^", max_size=12), st.text(alphabet="ab/.]-\\^", max_size=8))
@settings(max_examples=300, deadline=None)
def test_any_pattern_is_a_pattern(pattern: str, name: str) -> None:
    assert Filter((pattern or "*",)).takes(name) in (True, False)


def test_split_glob() -> None:
    assert split_glob("photos/**/*.jpg") == ("photos", "**/*.jpg")
    assert split_glob("*.jpg") == (".", "*.jpg")
    assert split_glob("/a?/b") == ("/", "a?/b")
    assert split_glob("photos/cats") is None


def test_depth() -> None:
    assert depth("*.jpg") == 0
    assert depth("*/*.jpg") == 1
    assert depth("**/*.jpg") is None
