"""``maru label``: labels join their samples, late or again."""

from __future__ import annotations

from pathlib import Path

import click

from maruhub.cli.output import count_text
from maruhub.cli.session import Session, with_session
from maruhub.errors import InvalidInput

_SHOWN = 5


@click.command("label", short_help="Join labels from a table as a new version.")
@click.argument("dataset")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--name", default="labels", show_default=True, help="Whose labels these are: a set of their own."
)
@click.option(
    "--by",
    type=click.Choice(["key", "id", "digest"]),
    help="The column that names the sample (default: found).",
)
@click.option("-m", "--message", default="", help="What this version is about.")
@click.option("--type", "types", multiple=True, metavar="COLUMN=TYPE", help="A column's type: label=int64.")
@with_session
def label_command(
    session: Session,
    dataset: str,
    file: Path,
    name: str,
    by: str | None,
    types: tuple[str, ...],
    message: str,
) -> None:
    """Join the columns of FILE (CSV, JSON lines, Parquet) to DATASET as a new version.

    A column key (the key in the bucket), id (bucket/key) or digest (SHA-256) says which
    sample a row is for. No byte of a sample moves.
    """
    report = (
        session.hub().dataset(dataset).label(file, name=name, by=by, types=_types(types), message=message)
    )
    text = (
        f"{dataset}@{report.version.name}: {count_text(report.matched, 'sample')} labelled, "
        f"{report.unlabelled:,} not in the file, {count_text(report.unmatched_count, 'row')} without a sample; "
        f"{count_text(report.bytes_written, 'byte')} written."
    )
    fields = {
        "dataset": dataset,
        "version": report.version.name,
        "matched": report.matched,
        "unlabelled": report.unlabelled,
        "unmatched": report.unmatched,
        "unmatched_count": report.unmatched_count,
        "bytes_written": report.bytes_written,
    }
    session.output.record(fields, text)
    for row in report.unmatched[:_SHOWN]:
        session.output.note(f"without a sample: {row}")
    if report.unmatched_count > _SHOWN:
        session.output.note(f"… {report.unmatched_count - _SHOWN:,} more; --json lists them.")


def _types(pairs: tuple[str, ...]) -> dict[str, str] | None:
    types = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    if len(types) != len(pairs):
        raise InvalidInput(
            f"--type {' '.join(pairs)} is not understood.", hint="Write --type COLUMN=TYPE, once a column."
        )
    return types or None
