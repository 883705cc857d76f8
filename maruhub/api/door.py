"""Opening and making hubs, and finding the one a person means.

Which engines stand behind a pool is ``compose``'s business.
"""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from maruhub import argument, compose
from maruhub.api.hub import Hub
from maruhub.errors import NoSuchHub


def connect(
    path: str | os.PathLike[str], *, read_only: bool = False, accept_loss: bool = False, actor: str = ""
) -> Hub:
    """Opens the hub in folder ``path``.

    Args:
        path: The hub's folder.
        read_only: Never write: works on a medium that cannot be written.
        accept_loss: Open the hub although records are damaged in every copy, without them.
        actor: Who is at work, for histories; default ``user@host``.

    Raises:
        NoSuchHub: The path holds no hub.
        UnsupportedFormat: A newer release wrote it.
        Corrupt: Records of what the hub holds are damaged in every copy.
    """
    folder = Path(argument.path("path", path)).absolute()
    argument.text("actor", actor)
    pool = compose.open_pool(folder, read_only=read_only, accept_loss=accept_loss)
    return Hub(pool, folder, actor=actor or _actor())


def create(
    path: str | os.PathLike[str],
    *,
    blades: Sequence[str | os.PathLike[str]] | int | None = None,
    actor: str = "",
) -> Hub:
    """Makes a hub in folder ``path`` and opens it.

    Args:
        path: A new or empty folder.
        blades: A folder on each drive to store on; or how many folders to make inside
            ``path`` (they share its drive); default one.
        actor: As for ``connect``.

    Raises:
        AlreadyExists: There is a hub, or the folder is not empty.
    """
    folder = Path(argument.path("path", path)).absolute()
    argument.text("actor", actor)
    if blades is None or isinstance(blades, int):
        pool = compose.create_pool(folder, n=1 if blades is None else argument.whole("blades", blades, low=1))
    else:
        pool = compose.create_pool(folder, blades=_folders(blades))
    return Hub(pool, folder, actor=actor or _actor())


def adopt(path: str | os.PathLike[str], blades: Sequence[str | os.PathLike[str]], *, actor: str = "") -> Hub:
    """Makes a hub in folder ``path`` from the blades of one that is lost; opens it.

    Raises:
        Conflict: The blades belong to different pools.
        BladeLost: Too few of them are named.
    """
    folder = Path(argument.path("path", path)).absolute()
    argument.text("actor", actor)
    return Hub(compose.adopt(folder, _folders(blades)), folder, actor=actor or _actor())


def find_hub(start: Path) -> Path:
    """The nearest hub: ``start`` itself or a folder above it.

    Raises:
        NoSuchHub: Neither is one.
    """
    here = start.absolute()
    for folder in (here, *here.parents):
        if compose.is_hub(folder):
            return folder
    raise NoSuchHub(
        f"No hub in {here} nor in any folder above it.",
        hint="Name one with --hub PATH or MARU_HUB, or make one: maru init PATH",
    )


def _folders(blades: Iterable[str | os.PathLike[str]]) -> list[Path]:
    if isinstance(blades, str | bytes) or not isinstance(blades, Iterable):
        raise argument.wrong("blades", blades, "a number of folders to make, or a list of folders")
    return [Path(argument.path("each of blades", blade)).absolute() for blade in blades]


def _actor() -> str:
    """``user@host`` from the system, not from variables that anyone can set."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
