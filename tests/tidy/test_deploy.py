"""What stands in deploy/ names commands and options that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from maruhub.cli import main

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_the_commands_of_deploy_exist():
    unit = (DEPLOY / "maruhub.service").read_text()
    container = (DEPLOY / "Containerfile").read_text()
    commands = [shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1])]  # type: ignore[index]
    commands.append(re.findall(r'"([^"]*)"', re.search(r"^CMD (.*)$", container, re.MULTILINE)[1]))  # type: ignore[index]
    for words in commands:
        assert words[0].endswith("maru")
        command = main.LazyGroup(name="maru").get_command(click.Context(click.Command("maru")), words[1])
        assert command is not None
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known
