"""Starting costs little: what a command does not need is not imported."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from maruhub.cli.main import COMMANDS, LazyGroup, maru

HEAVY = {"pyarrow", "duckdb", "PIL", "rich.console", "fsspec", "pandas", "matplotlib", "sklearn"}


def _modules(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_package_imports_next_to_nothing() -> None:
    loaded = _modules("import maruhub")
    assert not {"numpy", "lmdb", "click", *HEAVY} & loaded
    assert not [name for name in loaded if name.startswith("maruhub.")]


def test_listing_imports_nothing_heavy() -> None:
    loaded = _modules("from maruhub.cli.main import main\nmain(['ls', '--hub', '/nowhere'])")
    assert "maruhub.store.store" in loaded
    assert not HEAVY & loaded


@pytest.mark.parametrize("name", [name for listing in COMMANDS.values() for name in listing])
def test_the_table_of_commands_says_what_the_commands_say(name: str) -> None:
    assert isinstance(maru, LazyGroup)
    with maru.make_context("maru", [], resilient_parsing=True) as context:
        command = maru.get_command(context, name)
    assert command is not None
    assert command.name == name
    assert command.short_help == next(listing[name][1] for listing in COMMANDS.values() if name in listing)
    for each in command.commands.values() if isinstance(command, click.Group) else [command]:
        options = {option for parameter in each.params for option in parameter.opts}
        assert {"--hub", "--json"} <= options
