"""The repository as the tidy tests see it: tracked files, documents, modules."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "maruhub"

_FENCE = re.compile(r"^(?P<indent>\s*)(?P<fence>`{3,}|~{3,})\s*(?P<language>[\w+-]*)")


@functools.cache
def tracked_files() -> tuple[Path, ...]:
    """Files that git tracks and that are there; outside a clone (an sdist) every file."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        return tuple(path for path in ROOT.rglob("*") if path.is_file() and "/." not in str(path))
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def documents() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".md"]


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def packages() -> list[Path]:
    """Every folder of ``maruhub`` that holds modules."""
    return sorted({path.parent for path in modules()} - {PACKAGE})


@functools.cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def name(path: Path) -> str:
    """A path as a test's id."""
    return str(path.relative_to(ROOT))


@dataclass(frozen=True)
class CodeBlock:
    language: str
    text: str
    line: int


def code_blocks(document: Path) -> Iterator[CodeBlock]:
    """The fenced blocks of a Markdown file, without their indentation."""
    opened: re.Match[str] | None = None
    body: list[str] = []
    start = 0
    for number, line in enumerate(document.read_text().splitlines(), 1):
        if opened is None:
            opened = _FENCE.match(line)
            body, start = [], number + 1
        elif line.strip() == opened["fence"]:
            yield CodeBlock(opened["language"], "\n".join(body), start)
            opened = None
        else:
            body.append(line.removeprefix(opened["indent"]))


def prose(document: Path) -> str:
    """A Markdown file without its code: where links and headings can stand."""
    lines: list[str] = []
    opened: re.Match[str] | None = None
    for line in document.read_text().splitlines():
        if opened is None:
            opened = _FENCE.match(line)
            lines.append("" if opened else line)
        elif line.strip() == opened["fence"]:
            opened = None
    return re.sub(r"`[^`\n]*`", "", "\n".join(lines))
