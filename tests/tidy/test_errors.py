"""The tree of errors: every kind explained, every code one kind's, every kind carried over borders."""

from __future__ import annotations

import ast
import inspect
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import errors
from tests.tidy.tree import PACKAGE, modules

KINDS = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.MaruError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_is_explained(kind: type[errors.MaruError]):
    assert kind.__doc__
    assert kind.__doc__ != (kind.__base__ or object).__doc__


def test_codes_are_unique_and_each_kind_has_its_own():
    codes = [kind.__dict__.get("code") for kind in KINDS]
    assert None not in codes
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_survives_the_border_of_a_process(kind: type[errors.MaruError]):
    back = pickle.loads(pickle.dumps(kind("what", hint="next", python_hint="next()")))
    assert (type(back), back.what, back.hint, str(back)) == (kind, "what", "next", "what next()")


_PYTHON = re.compile(r"in Python\b|\w+=(True|False|None)\b|\b(hub|dataset|version)\.\w+\(")
"""The adapters', the loaders' and the Python door's own errors reach nobody at a command line."""


def _hints(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.keyword) and node.arg == "hint":
            yield ast.unparse(node.value)


def test_a_hint_for_the_command_line_speaks_no_python():
    found = {
        str(path): hint
        for path in modules()
        if not {"adapters", "api", "loaders", "testing"} & set(path.relative_to(PACKAGE).parts)
        for hint in _hints(path)
        if _PYTHON.search(hint)
    }
    assert not found
