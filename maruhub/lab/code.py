"""Which code a run ran, when nobody said: the commit of the folder it was started in."""

from __future__ import annotations

from pathlib import Path


def source_commit(folder: Path) -> str:
    """``git:`` and the commit checked out in ``folder`` or above it; empty if there is none.

    Reads git's files; runs nothing. Changes that were not committed are not seen.
    """
    for parent in [folder, *folder.parents]:
        git = parent / ".git"
        if git.is_dir():
            try:
                commit = _resolve(git, (git / "HEAD").read_text().strip())
            except (OSError, UnicodeDecodeError):
                return ""
            return f"git:{commit}" if commit else ""
    return ""


def _resolve(git: Path, head: str) -> str:
    if not head.startswith("ref: "):
        return head[:64]
    name = head[5:].strip()
    if ".." in name:
        return ""
    loose = git / name
    if loose.is_file():
        return loose.read_text().strip()[:64]
    packed = git / "packed-refs"
    lines = packed.read_text().splitlines() if packed.is_file() else []
    return next((line.split()[0][:64] for line in lines if line.endswith(f" {name}")), "")
