"""What the command line offers stands in its reference, and nothing else does."""

from __future__ import annotations

import re

import pytest

from tests.tidy.tree import ROOT

click = pytest.importorskip("click")
main = pytest.importorskip("maruhub.cli.main", exc_type=ImportError)
exits = pytest.importorskip("maruhub.cli.exits", exc_type=ImportError)

COMMANDS = [name for listing in main.COMMANDS.values() for name in listing]


def _reference() -> str:
    return (ROOT / "docs" / "reference" / "cli.md").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_stands_in_the_reference_with_every_option(name: str):
    command = main.LazyGroup(name="maru").get_command(click.Context(click.Command("maru")), name)
    page = _reference()
    assert f"maru {name}" in page
    options = [o for p in command.params if isinstance(p, click.Option) and not p.hidden for o in p.opts]
    assert [o for o in options if o.startswith("--") and not re.search(rf"{o}(?![\w-])", page)] == []


def test_the_reference_names_no_command_that_is_gone():
    named = set(re.findall(r"^#+ .*?`maru (\w+)", _reference(), re.MULTILINE))
    assert named <= set(COMMANDS)


def test_every_exit_status_is_documented():
    page = (ROOT / "docs" / "reference" / "exit-status.md").read_text()
    constants = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    statuses = constants | set(exits.STATUS.values())
    assert len(statuses) > 5
    assert [
        status
        for status in sorted(statuses)
        if not re.search(rf"^\|\s*`?{status}`?\s*\|", page, re.MULTILINE)
    ] == []
