"""``maru blade list|add|drain|remove|replace``: the drives of a hub, while it is in use."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maruhub.cli.output import count_text, size_text
from maruhub.cli.session import Session, with_session

if TYPE_CHECKING:
    from maruhub.store.blade_info import BladeInfo

_COLUMNS = {
    "number": "blade",
    "path": "folder",
    "short_id": "id",
    "state": "state",
    "used": "used",
    "free": "free",
    "total": "total",
    "part": "share of files",
}
_PROGRESS = "`maru blade list` shows how many files are left, `maru status` how far care is."


@click.group("blade", short_help="List, add, drain, remove and replace blades.")
def blade_command() -> None:
    """The drives of a hub, while it is in use.

    BLADE is a blade's number, its folder, or the beginning of its id, as `maru blade list`
    shows them.
    """


@blade_command.command("list")
@with_session
def list_command(session: Session) -> None:
    """List all blades: where they are, what they are used for, how full they are."""
    blades = session.hub().blades.list()
    session.output.table([_row(blade, session) for blade in blades], _COLUMNS)


def _row(blade: BladeInfo, session: Session) -> dict[str, Any]:
    if session.output.as_json:
        return asdict(blade)
    answers = blade.total_bytes > 0
    return asdict(blade) | {
        "short_id": blade.id[:8],
        "state": f"{blade.state}: {blade.reason}" if blade.reason else blade.state,
        "used": size_text(blade.used_bytes) if answers else "",
        "free": size_text(blade.free_bytes) if answers else "",
        "total": size_text(blade.total_bytes) if answers else "",
        "part": f"{blade.share:.1%} ({blade.files:,})",
    }


@blade_command.command("add")
@click.argument("folder", type=click.Path(path_type=Path))
@with_session
def add_command(session: Session, folder: Path) -> None:
    """Make FOLDER a blade of the hub, or bring back one that was.

    FOLDER must be new or empty, best on a drive of its own. It takes new data at once;
    `maru care` moves its share of the old data there.
    """
    blade = session.hub().blades.add(folder)
    _tell(session, blade, f"{_name(blade)} is in service and takes new data now.", _balance(blade))


def _balance(blade: BladeInfo) -> str:
    if blade.files:
        return f"It holds {count_text(blade.files, 'file')} of segments."
    return "`maru care` moves its share of the old data there."


@blade_command.command("drain")
@click.argument("blade")
@click.option("--undo", is_flag=True, help="Use the blade again.")
@with_session
def drain_command(session: Session, blade: str, undo: bool) -> None:
    """Put nothing new on BLADE, so that it can be emptied and removed.

    What is on it is read as before; `maru care` moves it to the other blades.
    """
    told = session.hub().blades.drain(blade, undo=undo)
    if undo:
        _tell(session, told, f"{_name(told)} is in service again.")
        return
    files = count_text(told.files, "file")
    _tell(
        session,
        told,
        f"{_name(told)} is draining: nothing new is put there; reads go on.",
        f"`maru care` moves {files} of segments to the other blades. {_PROGRESS}"
        if told.files
        else f"It is empty: maru blade remove {told.number}",
    )


@blade_command.command("remove")
@click.argument("blade")
@click.option("--lost", is_flag=True, help="It does not answer and will not: make what it held anew.")
@with_session
def remove_command(session: Session, blade: str, lost: bool) -> None:
    """Take BLADE out of the hub, once it is drained.

    With --lost a blade that is missing, whatever it held: `maru care` makes that anew from the
    other blades.
    """
    told = session.hub().blades.remove(blade, lost=lost)
    _tell(session, told, f"{_name(told)} is removed.", *_to_repair(told))


def _to_repair(blade: BladeInfo) -> list[str]:
    if not blade.files:
        return []
    return [f"`maru care` makes {count_text(blade.files, 'file')} of segments anew that it held. {_PROGRESS}"]


@blade_command.command("replace")
@click.argument("old", metavar="BLADE")
@click.argument("folder", type=click.Path(path_type=Path))
@with_session
def replace_command(session: Session, old: str, folder: Path) -> None:
    """Put a new blade in FOLDER in the place of BLADE.

    BLADE is drained if it answers, else removed as lost. Say it again if it was interrupted.
    """
    fresh, told = session.hub().blades.replace(old, folder)
    lines = [f"{_name(fresh)} is in service; {told} is {told.state}."]
    if told.files:
        lines.append(f"`maru care` sees to {count_text(told.files, 'file')} of segments. {_PROGRESS}")
    session.output.record({"new": asdict(fresh), "old": asdict(told)}, "\n".join(lines))


def _name(blade: BladeInfo) -> str:
    return f"B{str(blade)[1:]}"


def _tell(session: Session, blade: BladeInfo, *lines: str) -> None:
    session.output.record(asdict(blade), "\n".join(lines))
