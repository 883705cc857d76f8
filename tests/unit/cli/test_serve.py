"""``maru serve`` before it serves: what is missing is said, and nothing is started."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import pytest

from maruhub.cli import serve
from maruhub.errors import Unavailable

ROOT = Path(__file__).parents[3]


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "granian" else found(name))
    with pytest.raises(Unavailable, match="granian") as caught:
        serve._require_packages()
    assert "maruhub[serve]" in caught.value.hint


def test_all_that_the_extra_brings_is_asked_for():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {line.partition(">")[0].replace("-", "_") for line in extras["serve"]}
    # Without uvloop Granian takes the standard library's loop.
    assert names - {"uvloop"} == set(serve._PACKAGES)
    serve._require_packages()
