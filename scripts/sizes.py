"""Counts what keeps a reader comfortable, and lists the worst, so that the list shrinks.

Aims: functions of about 30 lines and files of about 300, at most seven methods in a
protocol, at most three arguments that may be given by position. A docstring does not
count as a function's length. Only the hard bounds fail: beyond them a noun is missing.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("maruhub", "scripts", "demo", "benchmarks")
LISTED = 10


@dataclass(frozen=True)
class Measure:
    """One kind of size: its aim, and the bound beyond which the check fails."""

    name: str
    aim: int
    bound: int


@dataclass(frozen=True)
class Size:
    """One thing measured."""

    value: int
    where: str


FUNCTION = Measure("function lines", aim=30, bound=60)
FILE = Measure("file lines", aim=300, bound=400)
PROTOCOL = Measure("protocol methods", aim=7, bound=10)
POSITIONAL = Measure("positional arguments", aim=3, bound=5)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> int:
    """Prints the list; 1 if anything is beyond its bound."""
    found: dict[Measure, list[Size]] = {FILE: [], FUNCTION: [], PROTOCOL: [], POSITIONAL: []}
    for path in _sources():
        for measure, size in _measure(path):
            found[measure].append(size)
    beyond = sum(_report(measure, sizes) for measure, sizes in found.items())
    return 1 if beyond else 0


def _sources() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _measure(path: Path) -> Iterator[tuple[Measure, Size]]:
    name = str(path.relative_to(ROOT))
    text = path.read_text()
    yield FILE, Size(text.count("\n"), name)
    tree = ast.parse(text, name)
    for node in ast.walk(tree):
        if isinstance(node, Function):
            where = f"{name}:{node.lineno} {node.name}"
            yield FUNCTION, Size(_lines(node), where)
            if not _is_command(node):
                yield POSITIONAL, Size(_positional(node), where)
        elif isinstance(node, ast.ClassDef) and _is_protocol(node):
            yield PROTOCOL, Size(_methods(node), f"{name}:{node.lineno} {node.name}")


def _lines(node: Function) -> int:
    first = node.body[0]
    start = node.lineno
    if ast.get_docstring(node) is not None:
        start += (first.end_lineno or first.lineno) - first.lineno + 1
    return (node.end_lineno or node.lineno) - start + 1


def _positional(node: Function) -> int:
    names = [arg.arg for arg in node.args.posonlyargs + node.args.args]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def _is_command(node: Function) -> bool:
    """Whether click calls it, always by name."""
    return any("command(" in ast.unparse(decorator) for decorator in node.decorator_list)


def _is_protocol(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).split("[")[0].endswith("Protocol") for base in node.bases)


def _methods(node: ast.ClassDef) -> int:
    functions = [item for item in node.body if isinstance(item, Function)]
    return sum(not any(ast.unparse(d) == "property" for d in item.decorator_list) for item in functions)


def _report(measure: Measure, sizes: list[Size]) -> int:
    """Prints one list; how many are beyond the bound."""
    above = sorted((size for size in sizes if size.value > measure.aim), key=lambda s: (-s.value, s.where))
    beyond = sum(size.value > measure.bound for size in above)
    print(
        f"{measure.name}: {len(above)} of {len(sizes)} above {measure.aim}, {beyond} beyond {measure.bound}"
    )
    for size in above[: max(LISTED, beyond)]:
        mark = " <- too much" if size.value > measure.bound else ""
        print(f"  {size.value:5}  {size.where}{mark}")
    return beyond


if __name__ == "__main__":
    sys.exit(main())
