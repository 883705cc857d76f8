"""``maru ingest``: raw data comes in, and the report of what did not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from maruhub.cli import exits
from maruhub.cli.address import place
from maruhub.cli.output import Advance, count_text, size_text
from maruhub.cli.session import Session, with_session

if TYPE_CHECKING:
    from maruhub.ingest import Progress, Report

_SHOWN = 20
"""Refusals that people see; JSON has all that the report kept."""


@click.command("ingest", short_help="Bring files, archives or tables in.")
@click.argument("source")
@click.argument("target", metavar="BUCKET[/PREFIX]")
@click.option(
    "--labels",
    type=click.Choice(["none", "folder", "sidecar"]),
    default="none",
    show_default=True,
    help="Take each sample's class from its folder's name, or from a file beside it.",
)
@click.option("--include", multiple=True, metavar="GLOB", help="Take only these names; may be repeated.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Leave these names out; may be repeated.")
@click.option("--workers", type=click.IntRange(0, 256), default=0, help="Threads (default: by processors).")
@click.option("--recheck", is_flag=True, help="Compare content with what is there, not only size and time.")
@click.option("--no-unpack", is_flag=True, help="Store an archive as one object.")
@click.option("--follow-symlinks", is_flag=True, help="Take what links out of SOURCE lead to.")
@with_session
def ingest_command(
    session: Session,
    source: str,
    target: str,
    labels: str,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    workers: int,
    recheck: bool,
    no_unpack: bool,
    follow_symlinks: bool,
) -> None:
    """Bring SOURCE's content below BUCKET/PREFIX.

    SOURCE is a folder, a file, a glob in quotes, a tar or zip archive, or any fsspec URL.
    What is there already is not copied again, so a run that was cut can be repeated.
    """
    where = place(target)
    with session.output.progress("Ingesting", unit="files") as advance:
        report = session.hub().ingest(
            source,
            f"{where.bucket}/{where.key}",
            progress=_follow(advance),
            labels=labels,
            include=include,
            exclude=exclude,
            workers=workers,
            recheck=recheck,
            unpack=not no_unpack,
            follow_symlinks=follow_symlinks,
        )
    show_report(session, report)


def _follow(advance: Advance) -> Callable[[Progress], None]:
    def tell(moment: Progress) -> None:
        advance(moment.items_done, moment.items_total if moment.total_known else None)

    return tell


def show_report(session: Session, report: Report) -> None:
    """Prints a report; ends the command with INCOMPLETE if something was refused."""
    session.output.record(report.as_dict(), _summary(report))
    for refusal in report.refused[:_SHOWN]:
        session.output.note(f"refused: {refusal.name}: {refusal.message} ({refusal.reason})")
    if report.refused_total > _SHOWN:
        session.output.note(f"… {report.refused_total - _SHOWN:,} more; --json lists them.")
    if not report.complete:
        session.output.note(f"stopped early: {report.stopped}")
    if report.refused_total or not report.complete:
        session.exit(exits.INCOMPLETE)


def _summary(report: Report) -> str:
    were = "was" if report.unchanged == 1 else "were"
    parts = [
        f"{count_text(report.stored, 'object')} stored ({size_text(report.bytes_stored)})",
        f"{report.unchanged:,} {were} there already",
    ]
    if report.metadata_updated:
        parts.append(f"{report.metadata_updated:,} got other labels or times")
    return f"{', '.join(parts)}, {report.refused_total:,} refused; {report.seconds:.2f} s."
