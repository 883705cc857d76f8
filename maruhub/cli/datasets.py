"""``maru commit|versions|show|diff|tag|drop``: datasets and their versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from maruhub.cli.address import version_name
from maruhub.cli.output import Output, count_text, time_text
from maruhub.cli.session import Session, with_session
from maruhub.errors import InvalidInput, NoSuchDataset

if TYPE_CHECKING:
    from maruhub.catalog import Dataset, Diff
    from maruhub.catalog.version import VersionInfo

_SAMPLES = 10
_SHOWN = 20


def version_fields(dataset: str, info: VersionInfo) -> dict[str, Any]:
    """A version as JSON shows it."""
    return {
        "dataset": dataset,
        "version": info.name,
        "address": f"{dataset}@{info.name}",
        "samples": info.rows,
        "message": info.message,
        "created": info.created,
        "actor": info.actor,
        "sources": list(info.sources),
        "tags": list(info.tags),
        "digest": info.digest,
        "retained_until": info.retained_until,
    }


@click.command("commit", short_help="Freeze objects as a new version of a dataset.")
@click.argument("dataset")
@click.argument("sources", metavar="BUCKET[/PREFIX]...", nargs=-1, required=True)
@click.option("-m", "--message", default="", help="What this version is about.")
@with_session
def commit_command(session: Session, dataset: str, sources: tuple[str, ...], message: str) -> None:
    """Freeze the objects below each BUCKET/PREFIX as a new version of DATASET.

    No byte is copied. If nothing changed since the latest version, that one is returned.
    """
    handle = session.hub().dataset(dataset)
    with session.output.progress("Committing", unit="objects") as advance:
        version = handle.commit(sources, message, lambda seen: advance(seen, None))
    address = f"{dataset}@{version.name}"
    text = f"{address}: {len(version):,} samples."
    if not version.is_new:
        text = f"Nothing changed: {address} is the latest, {len(version):,} samples."
    session.output.record({**version_fields(dataset, version.info), "is_new": version.is_new}, text)


@click.command("versions", short_help="List datasets, or the versions of one.")
@click.argument("dataset", required=False)
@click.option("--dropped", is_flag=True, help="List dropped versions, and how long each can be brought back.")
@with_session
def versions_command(session: Session, dataset: str | None, dropped: bool) -> None:
    """List all datasets, or the versions of DATASET, the oldest first."""
    hub = session.hub()
    chosen = hub.datasets() if dataset is None else [_known(hub.dataset(dataset))]
    if dropped:
        _list_dropped(session.output, chosen)
    elif dataset is None:
        _list_datasets(session.output, chosen)
    else:
        rows = [version_fields(dataset, info) for info in chosen[0].versions()]
        headings = {"version": "version", "samples": "samples", "created": "created", "message": "message"}
        headings["tags"] = "tags"
        session.output.table(
            rows, headings, empty=f"Every version was dropped: maru versions {dataset} --dropped"
        )


def _list_datasets(output: Output, datasets: Sequence[Dataset]) -> None:
    """Each dataset with its latest version; one line names those without any."""
    latest = [(each.name, each.versions()) for each in datasets]
    rows = [version_fields(name, versions[-1]) for name, versions in latest if versions]
    headings = {"dataset": "dataset", "version": "latest", "samples": "samples", "created": "created"}
    gone = [name for name, versions in latest if not versions]
    if rows or not gone:
        output.table(rows, headings, empty="No datasets. Make one: maru commit DATASET BUCKET")
    elif output.as_json:
        output.table([], headings)
    if gone:
        output.note(f"All versions dropped: {', '.join(gone)} (list them: maru versions --dropped).")


def _list_dropped(output: Output, datasets: Sequence[Dataset]) -> None:
    rows = [
        {**version_fields(each.name, info), "restorable_until": info.restorable_until}
        for each in datasets
        for info in each.versions(dropped=True)
        if info.dropped
    ]
    headings = {"address": "version", "samples": "samples", "created": "created", "message": "message"}
    headings["restorable_until"] = "can be brought back until"
    output.table(rows, headings, empty="No version is dropped.")


def _known(dataset: Dataset) -> Dataset:
    if not dataset.exists:
        raise NoSuchDataset(f"there is no dataset {dataset.name!r}.", hint="`maru versions` lists them.")
    return dataset


@click.command("show", short_help="Show a version: columns, counts, first samples.")
@click.argument("version", metavar="DATASET[@VERSION]")
@click.option("-n", "--samples", "count", default=_SAMPLES, show_default=True, help="Samples to show.")
@with_session
def show_command(session: Session, version: str, count: int) -> None:
    """Show what a version holds; without @VERSION the latest."""
    hub = session.hub()
    found = hub.version(version)
    head = found.select(range(min(max(count, 0), len(found)))).table()
    schema = {field.name: str(field.type) for field in head.schema}
    samples = head.to_pylist()
    info = hub.dataset(found.dataset_name).info(found.number)
    fields = version_fields(found.dataset_name, info)
    if session.output.as_json:
        session.output.record({**fields, "columns": schema, "first": samples})
        return
    session.output.line(
        f"{fields['address']}: {len(found)} samples, made {time_text(info.created)}. {info.message}".rstrip()
    )
    if info.retained_until is not None:
        session.output.line(f"Nobody can drop it before {time_text(info.retained_until)}.")
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

    NEW is a version's name or DATASET@NEW; without it the latest. maru diff cats
    compares the two newest versions.
    """
    dataset, _, before = old.partition("@")
    handle = session.hub().dataset(dataset)
    after = new.removeprefix(f"{dataset}@") if new else "latest"
    diff = handle.diff(before or _one_before(handle), after)
    if session.output.as_json:
        changes = {name: getattr(diff, name).to_pylist() for name in diff.summary()}
        session.output.record({"before": diff.before, "after": diff.after, **changes})
        return
    for line in diff_lines(diff):
        session.output.line(line)


def diff_lines(diff: Diff) -> Iterator[str]:
    """A difference for people: counts, and the first samples of each kind.

    Only what is shown becomes Python objects; a difference may have millions of rows.
    """
    counts = diff.summary()
    samples = ", ".join(f"{n} {name}" for name, n in counts.items() if name != "columns")
    yield f"From {diff.before} to {diff.after}: {samples}, {count_text(counts['columns'], 'column')}."
    for mark, name in (("+", "added"), ("-", "removed"), ("~", "changed")):
        shown = getattr(diff, name).slice(0, _SHOWN).column("id").to_pylist()
        yield from (f"{mark} {sample}" for sample in shown)
        if counts[name] > _SHOWN:
            yield f"{mark} … {counts[name] - _SHOWN} more"
    for row in diff.columns.to_pylist():
        yield f"column {row['column']}: {row['change']}, {row['rows']} samples"


def _one_before(handle: Dataset) -> str:
    versions = _known(handle).versions()
    if len(versions) < 2:
        raise InvalidInput(f"{handle.name} has only one version.", hint="Commit another to compare.")
    return versions[-2].name


@click.command("tag", short_help="Give a version a name.")
@click.argument("version", metavar="DATASET@VERSION")
@click.argument("name")
@click.option("--move", is_flag=True, help="Take the name from the version that has it.")
@with_session
def tag_command(session: Session, version: str, name: str, move: bool) -> None:
    """Give DATASET@VERSION the name NAME: it is then DATASET@NAME too."""
    dataset, which = version_name(version, hint="Write DATASET@VERSION NAME.")
    handle = session.hub().dataset(dataset)
    handle.tag(name, which, move=move)
    tagged = f"{dataset}@{handle[name].name}"
    session.output.record(
        {"dataset": dataset, "tag": name, "version": handle[name].name}, f"{dataset}@{name} is {tagged}."
    )


@click.command("drop", short_help="Drop a version.")
@click.argument("version", metavar="DATASET[@VERSION]")
@click.option("--all", "every", is_flag=True, help="All versions of DATASET.")
@click.option("--undo", is_flag=True, help="Bring back what was dropped.")
@with_session
def drop_command(session: Session, version: str, every: bool, undo: bool) -> None:
    """Drop DATASET@VERSION, or with --all every version of DATASET.

    Objects in buckets stay as they are. --undo brings the version back until the delay
    ends; with --all every dropped version of DATASET.
    """
    if every:
        dataset, names = version, _change_all(session, version, undo=undo)
        nothing = f"No version of {version} is dropped." if undo else f"{version} is dropped already."
    else:
        dataset, which = version_name(version, hint="Write DATASET@VERSION, or --all for every version.")
        names = _change_one(session.hub().dataset(dataset), which, undo=undo)
        nothing = f"{version} is not dropped."
    done = "back" if undo else "dropped"
    addresses = ", ".join(f"{dataset}@{name}" for name in names)
    text = f"{done.capitalize()}: {addresses}." if names else nothing
    session.output.record({"dataset": dataset, done: names}, text)


def _change_all(session: Session, dataset: str, *, undo: bool) -> list[str]:
    """Drops all of a dataset or brings all back; the names of the versions that changed."""
    if "@" in dataset:
        raise InvalidInput(
            f"{dataset!r} names one version, --all means every one.",
            hint="Write DATASET --all, or leave out --all.",
        )
    handle = _known(session.hub().dataset(dataset))
    return handle.undrop_all() if undo else handle.drop_all()


def _change_one(handle: Dataset, which: str, *, undo: bool) -> list[str]:
    """Drops a version or brings it back; its name, nothing if it was not dropped to begin with."""
    info = handle.info(which)
    if undo and not info.dropped:
        return []
    handle.undrop(info.name) if undo else handle.drop(info.name)
    return [info.name]
