"""The count of sizes: docstrings are free, what is beyond a bound fails."""

from __future__ import annotations

import ast

import pytest

from scripts import sizes


def _function(body_lines: int) -> ast.FunctionDef:
    body = "\n".join("    x = 1" for _ in range(body_lines))
    tree = ast.parse(f'def f(self, a, b, *, c):\n    """One.\n\n    More.\n    """\n{body}\n')
    assert isinstance(tree.body[0], ast.FunctionDef)
    return tree.body[0]


def test_a_docstring_does_not_count():
    assert sizes._lines(_function(10)) == 11


def test_only_what_may_be_given_by_position_counts():
    assert sizes._positional(_function(1)) == 2


@pytest.mark.parametrize(("value", "beyond"), [(60, 0), (61, 1)])
def test_only_beyond_the_bound_fails(value: int, beyond: int, capsys: pytest.CaptureFixture[str]):
    assert sizes._report(sizes.FUNCTION, [sizes.Size(value, "here"), sizes.Size(3, "there")]) == beyond
    assert "here" in capsys.readouterr().out
