"""docs/start.md does what it says: every block runs, in order, as a reader would run it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.maru import ROOT, Maru

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_block_of_first_steps_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    maru, names = Maru(tmp_path), dict[str, Any]()
    blocks = BLOCK.findall((ROOT / "docs" / "start.md").read_text())
    assert {language for language, _ in blocks} == {"console", "python"}
    for language, text in blocks:
        if language == "python":
            exec(compile(text, "docs/start.md", "exec"), names)
        else:
            for line in text.splitlines():
                _type(maru, line)
    assert (tmp_path / "out" / "cats" / "01.txt").read_text() == "photo number 1"


def _type(maru: Maru, line: str) -> None:
    prompt, command, *words = shlex.split(line)
    assert prompt == "$"
    if command == "export":
        name, _, value = words[0].partition("=")
        maru.environment[name] = value
        return
    assert command == "maru"
    maru.ok(*words)
