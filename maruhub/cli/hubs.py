"""``maru init|status|check``: a hub made, looked at, verified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maruhub.cli import exits
from maruhub.cli.output import count_text, size_text
from maruhub.cli.session import Session, with_session
from maruhub.errors import Corrupt, InvalidInput, MaruError, ReadOnly, Unavailable

if TYPE_CHECKING:
    from maruhub.api import Hub
    from maruhub.care.blades import NamedBlade
    from maruhub.care.check import CheckReport
    from maruhub.care.speed import Speed
    from maruhub.care.status import Status

_SHARED = "These blades share a drive: they guard against the loss of a folder, not of that drive."
_SHOWN = 20
_LOST = (
    "What is lost comes back with a missing blade that holds it. If there is none, delete the object and "
    "ingest it again: an ingest alone takes it for stored."
)


@click.command("init", short_help="Make a hub in a folder, or adopt one from its blades.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--blade",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder on a drive to store on; repeat it for each drive.",
)
@click.option("--blades", "count", type=click.IntRange(1, 64), help="So many folders inside PATH instead.")
@click.option("--adopt", is_flag=True, help="The blades hold a hub whose own folder is lost.")
@with_session
def init_command(
    session: Session, path: Path, folders: tuple[Path, ...], count: int | None, adopt: bool
) -> None:
    """Make a hub in PATH, a new or empty folder.

    It stores on the blades that are named, best one a drive; without any on one folder
    inside PATH. With --adopt the hub of the named blades is put together again, its index
    made anew from what they hold.
    """
    from maruhub import api

    if folders and count is not None:
        raise InvalidInput(
            "--blade and --blades exclude each other.", hint="Name the folders, or count them."
        )
    if adopt and not folders:
        raise InvalidInput("--adopt needs the blades.", hint="Name each of them: --blade DIR --blade DIR …")
    with api.adopt(path, folders) if adopt else _new_hub(path, folders or count) as hub:
        status = hub.status()
    made = "Adopted" if adopt else "Made"
    lines = [f"{made} a hub in {path} on {count_text(len(status.blades), 'blade')}.", status.protection]
    session.output.record(status.to_json(), "\n".join([*lines, *([_SHARED] if status.shared_drive else [])]))


def _new_hub(path: Path, blades: tuple[Path, ...] | int | None) -> Hub:
    """Makes a hub. Where the system refuses a folder, that is said, and not that a blade is lost."""
    from maruhub import api

    try:
        return api.create(path, blades=blades)
    except MaruError as error:
        cause = error.__cause__
        known = exits.from_system(cause) if isinstance(cause, OSError) and cause.filename else None
        if known is None:
            raise
        raise type(known)(
            f"No hub can be made in {path}: {known.what}", hint="Name folders that can be made and written."
        ) from None


@click.command("status", short_help="Show what the hub holds, how safe and how fast it is.")
@click.option(
    "--speed", "measure", is_flag=True, help="Also measure reading, beside plain files (takes seconds)."
)
@with_session
def status_command(session: Session, measure: bool) -> None:
    """Show what the hub holds by stage, where it lies, and which failures it survives."""
    hub = session.hub()
    status = hub.status()
    speed = hub.speed() if measure else None
    fields = status.to_json() | ({} if speed is None else {"speed": speed.to_json()})
    session.output.record(
        fields, "\n".join([*_status_lines(status), *([] if speed is None else _speed_lines(speed))])
    )


def care_text(care: dict[str, Any]) -> str:
    """What the keeper at work is doing, and until when."""
    doing = care["doing"] or "at work: nothing was to be done so far"
    doing += f" (process {care['pid']})" if care["pid"] else ""
    if not care["total_bytes"]:
        return doing
    left = "" if care["left_s"] is None else f", about {care['left_s']:.0f} s left"
    return f"{doing}: {size_text(care['done_bytes'])} of {size_text(care['total_bytes'])}{left}"


def _status_lines(status: Status) -> list[str]:
    answering = [blade for blade in status.blades if blade.answers]
    free = sum({blade.device: blade.free_bytes for blade in answering}.values())
    lines = [
        f"hub         {status.path}" + (" (read-only)" if status.read_only else ""),
        f"blades      {len(answering)} of {len(status.blades)} answer",
        *(
            f"            blade {blade.number} ({blade.path}) does not answer: {blade.problem}"
            for blade in status.blades
            if not blade.answers
        ),
        f"protection  {status.protection}",
        *([f"care        {care_text(status.care)}"] if status.care else []),
        *([f"            {_SHARED}"] if status.shared_drive else []),
        f"space       {size_text(status.stored_bytes)} stored in {size_text(status.raw_bytes)} on the blades; "
        f"index {size_text(status.index_bytes)}",
        f"            {size_text(free)} free on the drives: room for {size_text(status.usable_bytes)} more",
        f"deleted     {size_text(status.awaiting_bytes)} await eradication, once they can't be brought back "
        "any more: maru gc --dry-run",
        "",
        f"{'stage':12}{'rows':>12}{'bytes':>14}",
    ]
    return lines + [
        f"{name:12}{stage.rows:>12,}{size_text(stage.size_bytes):>14}"
        for name, stage in status.stages.items()
    ]


def _speed_lines(speed: Speed) -> list[str]:
    rows = [
        ("warm", speed.hub_warm, speed.files_warm),
        ("cold", speed.hub_cold, speed.files_cold),
    ]
    return [
        "",
        f"speed of this machine: {count_text(speed.objects, 'object')} of {size_text(round(speed.mean_bytes))}, random order, "
        "every byte from the hub verified",
        f"{'':12}{'hub':>12}{'plain files':>14}",
        *(f"{name:12}{hub:>10,.0f}/s{files:>12,.0f}/s   {hub / files:.1f} x" for name, hub, files in rows),
    ]


@click.command("check", short_help="Read and verify everything; rebuild the index.")
@click.option("--rebuild-index", is_flag=True, help="First make the index anew, from the segments alone.")
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Go on without records that are damaged in every copy; what they named may be older or gone.",
)
@with_session
def check_command(session: Session, rebuild_index: bool, accept_loss: bool) -> None:
    """Read every copy of everything and verify it.

    Ends with status 9 if something is lost, 8 if a copy is wrong but another is right.
    """
    from maruhub.care.blades import name_blades

    hub = session.hub(accept_loss=accept_loss)
    if rebuild_index and hub.pool.read_only:
        raise ReadOnly(
            f"{hub.path} cannot be written, so its index cannot be made anew.",
            hint="Check the permissions of its folder, or make a hub elsewhere: maru init --adopt.",
        )
    with session.output.progress("Verifying", unit="bytes") as advance:
        report = hub.check(rebuild_index=rebuild_index, progress=lambda done: advance(done, None))
    blades = name_blades(hub.path, hub.pool.found)
    fields = report.to_json() | {"blades": [_blade_fields(blade, report) for blade in blades]}
    session.output.record(fields, "\n".join(_check_lines(report, blades)))
    if report.lost:
        session.exit(exits.STATUS[Corrupt])
    if not report.ok:
        session.exit(exits.STATUS[Unavailable])


def _blade_fields(blade: NamedBlade, report: CheckReport) -> dict[str, Any]:
    return {**asdict(blade), "bad_copies": report.bad_copies.get(blade.id, 0)}


def _check_lines(report: CheckReport, blades: Sequence[NamedBlade]) -> list[str]:
    lines = [
        f"Looked through {count_text(report.rows, 'row')} of the index, "
        f"read {size_text(report.bytes_read)} in {count_text(report.extents, 'piece')}."
    ]
    if report.rebuilt is not None:
        lines.append("The index was made anew from the segments.")
        lines += [f"left out: {problem}" for problem in report.rebuilt.problems]
    lines += [f"the counts of {name} were wrong, and are right now" for name in report.recounted]
    if report.ok:
        return [*lines, "Every copy of everything is right. (Parity is not read here: maru scrub.)"]
    named = {blade.id: blade for blade in blades}
    lines += [_copies_line(named.get(blade), blade, count) for blade, count in report.bad_copies.items()]
    lines += [f"lost: {name}" for name in report.lost[:_SHOWN]]
    if len(report.lost) > _SHOWN:
        lines.append(f"… {len(report.lost) - _SHOWN:,} more; --json lists them.")
    if report.lost:
        lines.append(_LOST)
    else:
        lines.append("Nothing is lost: another copy of each is right.")
    return lines


def _copies_line(blade: NamedBlade | None, blade_id: str, count: int) -> str:
    pieces = count_text(count, "piece")
    if blade is not None and blade.problem:
        return f"{blade} does not answer, and lacks its copies of {pieces}: {blade.problem}"
    return f"{blade or f'blade {blade_id}'}: its copies of {pieces} are wrong or missing"
