"""``maru commit|versions|show|diff|tag|drop``: datasets and their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from maruhub.cli.address import place, version_name
from maruhub.cli.output import time_text
from maruhub.cli.session import Session, with_session
from maruhub.errors import InvalidInput

if TYPE_CHECKING:
    from maruhub.api.dataset import DatasetHandle
    from maruhub.api.view import DatasetVersion

_SAMPLES = 10


def version_fields(version: DatasetVersion) -> dict[str, Any]:
    """A version as JSON shows it."""
    info = version.info
    return {
        "dataset": version.dataset_name,
        "version": version.name,
        "samples": len(version),
        "message": info.message,
        "created": info.created,
        "actor": info.actor,
        "sources": list(info.sources),
        "tags": list(info.tags),
        "digest": version.digest,
    }


@click.command("commit", short_help="Freeze objects as a new version of a dataset.")
@click.argument("dataset")
@click.argument("source", metavar="BUCKET[/PREFIX]")
@click.option("-m", "--message", default="", help="What this version is about.")
@with_session
def commit_command(session: Session, dataset: str, source: str, message: str) -> None:
    """Freeze the objects below BUCKET/PREFIX as a new version of DATASET.

    No byte is copied. If nothing changed since the latest version, that one is returned.
    """
    where = place(source)
    handle = session.hub().dataset(dataset)
    with session.output.progress("Committing", unit="samples") as advance:
        version = handle.commit(f"{where.bucket}/{where.key}", message=message, progress=advance)
    text = f"{version.address}: {len(version)} samples."
    if not version.is_new:
        text = f"Nothing changed: {version.address} is the latest, {len(version)} samples."
    session.output.record({**version_fields(version), "is_new": version.is_new}, text)


@click.command("versions", short_help="List datasets, or the versions of one.")
@click.argument("dataset", required=False)
@with_session
def versions_command(session: Session, dataset: str | None) -> None:
    """List all datasets, or the versions of DATASET, the oldest first."""
    hub = session.hub(read_only=True)
    if dataset is None:
        rows = [version_fields(handle.latest) for handle in hub.datasets()]
        headings = {"dataset": "dataset", "version": "latest", "samples": "samples", "created": "created"}
    else:
        rows = [version_fields(version) for version in hub.dataset(dataset).versions()]
        headings = {"version": "version", "samples": "samples", "created": "created", "message": "message"}
        headings["tags"] = "tags"
    session.output.table(rows, headings, empty="No datasets. Make one: maru commit DATASET BUCKET")


@click.command("show", short_help="Show a version: columns, counts, first samples.")
@click.argument("version", metavar="DATASET[@VERSION]")
@click.option("-n", "--samples", "count", default=_SAMPLES, show_default=True, help="Samples to show.")
@with_session
def show_command(session: Session, version: str, count: int) -> None:
    """Show what a version holds; without @VERSION the latest."""
    found = session.hub(read_only=True).version(version)
    head = found.select(range(min(max(count, 0), len(found)))).table()
    schema = {field.name: str(field.type) for field in head.schema}
    samples = head.to_pylist()
    if session.output.as_json:
        session.output.record({**version_fields(found), "columns": schema, "first": samples})
        return
    session.output.line(
        f"{found.address}: {len(found)} samples, made {time_text(found.info.created)}. {found.info.message}"
    )
    session.output.line("")
    session.output.table(
        [{"column": name, "type": kind} for name, kind in schema.items()],
        {"column": "column", "type": "type"},
    )
    session.output.line("")
    session.output.table(samples, {name: name for name in schema}, empty="No samples.")


@click.command("diff", short_help="Compare two versions.")
@click.argument("old", metavar="DATASET[@OLD]")
@click.argument("new", required=False, metavar="[NEW]")
@with_session
def diff_command(session: Session, old: str, new: str | None) -> None:
    """Show what came, went and changed from OLD to NEW.

    NEW is a version's name or DATASET@NEW; without it the latest. ``maru diff cats``
    compares the two newest versions.
    """
    dataset, _, before = old.partition("@")
    handle = session.hub(read_only=True).dataset(dataset)
    after = new.removeprefix(f"{dataset}@") if new else handle.latest.name
    diff = handle.diff(before or _one_before(handle), after)
    session.output.record(diff.to_json(), str(diff))


def _one_before(handle: DatasetHandle) -> str:
    versions = handle.versions()
    if len(versions) < 2:
        raise InvalidInput(f"{handle.name} has only one version.", hint="Commit another to compare.")
    return versions[-2].name


@click.command("tag", short_help="Give a version a name.")
@click.argument("version", metavar="DATASET@VERSION")
@click.argument("name")
@with_session
def tag_command(session: Session, version: str, name: str) -> None:
    """Give DATASET@VERSION the name NAME, or move NAME to it."""
    dataset, which = version_name(version, hint="Write DATASET@VERSION NAME.")
    handle = session.hub().dataset(dataset)
    handle.tag(name, handle[which])
    tagged = handle[name]
    session.output.record(version_fields(tagged), f"{dataset}@{name} is {tagged.address}.")


@click.command("drop", short_help="Drop a version.")
@click.argument("version", metavar="DATASET[@VERSION]")
@click.option("--all", "every", is_flag=True, help="All versions of DATASET.")
@with_session
def drop_command(session: Session, version: str, every: bool) -> None:
    """Drop DATASET@VERSION, or with --all every version of DATASET.

    Objects in buckets stay as they are. What only this version named stays restorable
    until the delay ends.
    """
    if every:
        handle = session.hub().dataset(version)
        names = [one.name for one in handle.versions()]
    else:
        dataset, which = version_name(version, hint="Write DATASET@VERSION, or --all for every version.")
        handle = session.hub().dataset(dataset)
        names = [handle[which].name]
    for name in names:
        handle.drop(name)
    session.output.record(
        {"dataset": handle.name, "dropped": names}, f"Dropped {handle.name}@{', '.join(names)}."
    )
