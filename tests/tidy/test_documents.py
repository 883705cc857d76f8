"""Documents keep their word: links lead somewhere, code compiles, nothing of one machine is in them."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.tidy.tree import PACKAGE, ROOT, code_blocks, documents, modules, name, prose, tracked_files

LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
ROOT_FILES = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
    "SECURITY.md",
    "constraints.txt",
    "docs/format.md",
    "docs/dependencies.md",
    "docs/decisions/README.md",
]
ONE_MACHINE = re.compile(
    r"(?<![\w.])/(root|work|home/\w+|Users/\w+)/"
    r"|https?://[\w.-]*(pypi|pythonhosted|npmjs|debian)\.(org|com)"
)


@pytest.mark.parametrize("file", ROOT_FILES)
def test_the_files_a_reader_looks_for_are_there(file: str):
    assert (ROOT / file).stat().st_size > 100


def _anchors(document: Path) -> set[str]:
    """The headings of a document as the words that a link names them by."""
    headings = re.findall(r"^#{1,6}\s+(.+?)\s*#*$", document.read_text(), re.MULTILINE)
    return {_slug(heading) for heading in headings} | set(re.findall(r'id="([^"]+)"', document.read_text()))


def _slug(heading: str) -> str:
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading.strip().lower()))


def _broken(document: Path) -> list[str]:
    broken = []
    for target in LINK.findall(prose(document)):
        if ELSEWHERE.match(target):
            continue
        file, _, anchor = unquote(target).partition("#")
        path = (document.parent / file).resolve() if file else document
        if (
            not path.exists()
            or not path.is_relative_to(ROOT)
            or (anchor and path.suffix == ".md" and re.sub("-+", "-", anchor) not in _anchors(path))
        ):
            broken.append(target)
    return broken


@pytest.mark.parametrize("document", documents(), ids=name)
def test_every_link_inside_the_repository_leads_somewhere(document: Path):
    assert _broken(document) == []


def test_every_page_is_linked_from_another():
    pages = {path for path in documents() if path.is_relative_to(ROOT / "docs")}
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in pages
        for target in LINK.findall(prose(page))
        if not ELSEWHERE.match(target) and not target.startswith("#")
    }
    alone = pages - linked - {ROOT / "docs" / "README.md"}
    assert sorted(map(name, alone)) == [], "link it from docs/README.md or from a page that leads to it"


@pytest.mark.parametrize("document", documents(), ids=name)
def test_python_in_documents_compiles(document: Path):
    for block in code_blocks(document):
        if block.language == "python":
            try:
                ast.parse(block.text)
            except SyntaxError as error:
                pytest.fail(f"{name(document)}:{block.line + (error.lineno or 1) - 1}: {error.msg}")


@pytest.mark.parametrize("path", tracked_files(), ids=name)
def test_nothing_of_one_machine_or_registry_is_tracked(path: Path):
    try:
        text = path.read_text()
    except UnicodeDecodeError:
        return
    found = [match.group() for match in ONE_MACHINE.finditer(text)]
    assert found == []


def _dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    return {re.split(r"[\[<>=!~; ]", line)[0] for line in lines} - {"maruhub"}


@pytest.mark.parametrize("dependency", sorted(_dependencies()))
def test_a_dependency_says_why_it_is_here(dependency: str):
    rows = (ROOT / "docs" / "dependencies.md").read_text().splitlines()
    mine = [row for row in rows if row.startswith(f"| `{dependency}`")]
    assert len(mine) == 1, f"one row `| `{dependency}` | for | why | weighed |` in docs/dependencies.md"
    assert all(cell.strip() for cell in mine[0].strip("|").split("|"))


def test_every_dependency_has_its_version_in_the_lock():
    # Frameworks have locks of their own: no environment holds all of them.
    locks = [ROOT / "constraints.txt", *(ROOT / "tests" / "frameworks").glob("*.txt")]
    lines = [line for lock in locks for line in lock.read_text().splitlines()]
    locked = {line.split("==")[0].lower() for line in lines}
    assert {name.lower() for name in _dependencies()} <= locked


def test_every_dependency_of_the_core_is_used_by_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    source = "\n".join(path.read_text() for path in modules())
    core = {re.split(r"[\[<>=!~; ]", line)[0] for line in project["dependencies"]}
    assert {d for d in core if not re.search(rf"^\s*(import|from) {d}\b", source, re.MULTILINE)} == set()


def test_dependencies_that_left_leave_the_table_too():
    table = (ROOT / "docs" / "dependencies.md").read_text()
    build = {"hatchling"}
    assert set(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)) <= _dependencies() | build


def test_every_extra_says_what_it_installs():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    table = (ROOT / "docs" / "dependencies.md").read_text()
    rows = re.findall(r"^\| maruhub\[(\w+)\].*\| [\d,]+ \| \d+ \|$", table, re.MULTILINE)
    assert sorted(rows) == sorted(extras)


def test_every_adapter_has_a_page_whose_example_a_test_runs():
    guides = {page.name: page.read_text() for page in (ROOT / "docs" / "guides").glob("*.md")}
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    parts = {"arrays", "epoch", "finding", "runs", "samples", "steps", "tables", "world"}
    by_address = {"filesystem"}  # fsspec finds it
    found = {path.stem for path in (PACKAGE / "adapters").iterdir() if not path.name.startswith("_")}
    for adapter in found - parts - by_address:
        pages = [page for page, text in guides.items() if f"maruhub.adapters.{adapter} import" in text]
        assert [page for page in pages if f'"{page}"' in tests], adapter


def test_the_package_and_the_project_name_one_version():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'__version__: Final = "{declared}"' in (ROOT / "maruhub" / "__init__.py").read_text()
    assert f"## [{declared}]" in (ROOT / "CHANGELOG.md").read_text()
