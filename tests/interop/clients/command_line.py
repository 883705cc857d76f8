"""What the programs of the command line have in common: they run, and say how it went."""

from __future__ import annotations

import filecmp
import subprocess
from pathlib import Path

from everyday import CORPUS, LARGE, SMALL, same


def run_raw(*words: str | Path, fails: bool = False) -> bytes:
    """Runs a program; what it printed. Ends this one if that did not end as it should have."""
    done = subprocess.run([*map(str, words)], capture_output=True, check=False)
    if (done.returncode != 0) is not fails:
        told = f"{done.stdout[-500:].decode()} {done.stderr[-2000:].decode()}"
        raise SystemExit(f"{words} ended with {done.returncode}: {told}")
    return done.stdout


def run(*words: str | Path, fails: bool = False) -> str:
    """As :func:`run_raw`, of a program that prints text."""
    return run_raw(*words, fails=fails).decode()


def same_folder(folder: Path) -> None:
    """Ends the program unless a folder holds all objects as they were uploaded, and nothing else."""
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    same(found, sorted([LARGE, *SMALL]), "downloaded")
    for key in found:
        same(filecmp.cmp(folder / key, CORPUS / key, shallow=False), True, key)
