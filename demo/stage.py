"""What the demo prints, and how it runs the commands that it shows."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

MARKER = ".made-by-make-demo"
WIDTH = 96


class Stage:
    """Tells the story and runs ``maru`` as a user would.

    Args:
        hub: The hub's folder, which every command gets as MARU_HUB.
    """

    def __init__(self, hub: Path) -> None:
        self._hub = hub
        self._steps = 0

    def step(self, title: str) -> None:
        """A new step of the story."""
        self._steps += 1
        print(f"\n{_bold(f'{self._steps}. {title}')}\n")

    def say(self, text: str) -> None:
        """A paragraph."""
        print(textwrap.fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False))

    def python(self, *lines: str) -> None:
        """Lines that the demo is about to run, as one would write them."""
        print("".join(f"  {_dim('>>> ' + line)}\n" for line in lines), end="")

    def show(self, text: str) -> None:
        """An outcome."""
        print(textwrap.indent(text, "      "))

    def shell(self, line: str) -> None:
        """A line of the shell, only shown."""
        print(f"  {_dim('$ ' + line)}")

    def maru(self, *words: str | Path) -> str:
        """Runs a command, shows it and what it printed, returns that."""
        shown = shlex.join(map(str, words))
        self.shell(f"maru {shown}")
        done = subprocess.run(
            [sys.executable, "-m", "maruhub", *map(str, words)],
            env=dict(os.environ, MARU_HUB=str(self._hub)),
            capture_output=True,
            text=True,
            check=False,
        )
        self.show((done.stdout + done.stderr).rstrip())
        if done.returncode:
            raise SystemExit(f"maru {shown} ended with status {done.returncode}")
        return done.stdout


def fresh_folder(folder: Path) -> Path:
    """An empty folder; one that an earlier demo made is removed, any other refused."""
    if folder.exists():
        if not (folder / MARKER).is_file():
            raise SystemExit(
                f"{folder} exists and no demo made it, so it stays as it is. Run in another folder."
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()
    return folder


def _bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text


def _dim(text: str) -> str:
    return f"\033[36m{text}\033[0m" if sys.stdout.isatty() else text
