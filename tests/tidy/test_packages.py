"""Each package says what it is and keeps its place; importing the hub stays light."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.tidy.tree import PACKAGE, ROOT, modules, name, packages, parse

HEAVY = ["numpy", "pyarrow", "duckdb", "lmdb", "xxhash", "fsspec", "click", "rich", "PIL", "sklearn", "isal"]


@pytest.mark.parametrize("package", packages(), ids=name)
def test_a_package_says_what_it_may_use_and_what_never_happens_in_it(package: Path):
    init = package / "__init__.py"
    assert init.exists(), f"{name(package)} has no __init__.py"
    says = (ast.get_docstring(parse(init)) or "").lower()
    assert len(says.splitlines()[0]) > 10
    assert re.search(r"\bmay\s+use\b", says), "say what the package may use"
    assert re.search(r"\bnever\b", says), "say what never happens in it"


@pytest.mark.parametrize("package", [p for p in packages() if p.parent == PACKAGE], ids=name)
def test_a_package_has_its_place_in_the_layers(package: Path):
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = " ".join(next(contract["layers"] for contract in config if contract["id"] == "layers"))
    assert package.name == "testing" or re.search(rf"maruhub\.{package.name}\b", layers)


@pytest.mark.parametrize("module", modules(), ids=name)
def test_no_drawer_modules(module: Path):
    assert module.stem not in {"utils", "util", "helpers", "helper", "common", "misc"}


def test_importing_the_hub_imports_nothing_heavy():
    code = f"import sys, maruhub; print(*(m for m in {HEAVY} if m in sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.split() == []


def test_a_worker_says_where_counts_are_shared_before_anything_imports_what_counts():
    code = "import sys, maruhub.gateway.serve.worker; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@functools.cache
def _protocol_methods() -> set[str]:
    """Names of the documented methods of every base class here; who fulfils them need not repeat."""
    found = set()
    for module in modules():
        for node in ast.walk(parse(module)):
            if isinstance(node, ast.ClassDef):
                found |= {f.name for f in _methods(node) if ast.get_docstring(f)}
    return found


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    return [item for item in node.body if isinstance(item, ast.FunctionDef)]


def _undocumented(module: Path) -> list[str]:
    return [
        f"{node.name}.{method.name} (line {method.lineno})"
        for node in ast.walk(parse(module))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        for method in _methods(node)
        if not method.name.startswith(("_", "test_")) and not ast.get_docstring(method)
    ]


@pytest.mark.parametrize("module", [m for m in modules() if "testing" not in m.parts], ids=name)
def test_public_methods_are_documented_here_or_by_their_protocol(module: Path):
    explained = _protocol_methods()
    missing = [entry for entry in _undocumented(module) if entry.split(".")[1].split()[0] not in explained]
    assert missing == []
