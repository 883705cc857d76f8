"""``maru gc``, ``maru retain``: what is removed for good, and what nobody may remove."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import click

from maruhub.cli.output import count_text, size_text, time_text
from maruhub.cli.session import Session, with_session
from maruhub.cli.span import seconds
from maruhub.errors import InvalidInput, NoSuchBucket, NoSuchDataset, NotFound
from maruhub.namespace.address import DatasetAddress, parse_short
from maruhub.namespace.retention import wall_moment

if TYPE_CHECKING:
    from maruhub.api import Hub
    from maruhub.care.reclaim.survey import Group, Survey


@click.command("gc", short_help="Remove for good what was deleted and whose delay is over.")
@click.option(
    "--dry-run", is_flag=True, help="Change nothing: list what would be freed, and what holds the rest."
)
@with_session
def gc_command(session: Session, dry_run: bool) -> None:
    """Remove for good what was deleted, overwritten or dropped and whose delay is over.

    What still can be brought back stays, and what anything else names. The room comes back
    as segments are compacted: maru care does so by itself, maru compact now.
    """
    hub = session.hub()
    if dry_run:
        _show(session, hub.reclaim.survey())
        return
    expired = hub.reclaim.expire()
    done = ", ".join(count_text(number, kind) for kind, number in expired.rows.items())
    text = "There was nothing to remove."
    if done:
        text = f"Removed {done}. What nothing else names is freed as segments are compacted: maru compact."
    session.output.record({"removed": expired.rows, "size_bytes": expired.size_bytes}, text)


def _show(session: Session, survey: Survey) -> None:
    groups = [_fields(group, survey.pool_time_us) for group in survey.groups.values()]
    if session.output.as_json:
        session.output.record(survey.to_json() | {"groups": groups})
        return
    session.output.line(
        f"{count_text(survey.removable, 'row')} would go, and with them {size_text(survey.freed_bytes)} "
        f"that nothing else names; {size_text(survey.awaiting_bytes)} are out of sight in all."
    )
    shown = [{**fields, "size": size_text(fields["size_bytes"])} for fields in groups]
    rows = [{**fields, "frees": size_text(fields["freed_bytes"])} for fields in shown]
    columns = {"what": "what", "where": "where", "size": "holds", "frees": "frees"}
    columns |= {"since_text": "hidden", "because": "because"}
    session.output.table(rows, columns, empty="Nothing is deleted or dropped.")


def _fields(group: Group, now_us: int) -> dict[str, Any]:
    """A group as JSON shows it, with what a table says in words."""
    since = [datetime.datetime.fromtimestamp(us / 1e6, datetime.UTC) for us in group.since_us if us]
    until = [wall_moment(us, now_us) for us in group.until_us if us]
    return {
        "kind": group.kind,
        "where": group.where,
        "count": group.count,
        "size_bytes": group.size_bytes,
        "freed_bytes": group.freed_bytes,
        "goes": not group.hold,
        "hold": group.hold,
        "held_by": group.held_by,
        "since": since,
        "until": until,
        "what": count_text(group.count, group.kind),
        "since_text": _range(since),
        "because": _because(group, until),
    }


def _range(moments: list[datetime.datetime]) -> str:
    texts = list(dict.fromkeys(time_text(moment) for moment in moments))
    return " to ".join(texts)


def _because(group: Group, until: list[datetime.datetime]) -> str:
    if not group.hold:
        return f"its time is over; {group.held_by} names the bytes" if group.held_by else "its time is over"
    if group.hold in ("delay", "retention"):
        word = "retained" if group.hold == "retention" else "can be brought back"
        by = f", {group.held_by}" if group.held_by else ""
        return f"{word} until {_range(until)} at least{by}" if until else f"{word}{by}"
    if group.hold == "content":
        return "it holds versions that stay"
    return group.held_by or "what this release can't read stays"


@click.command("retain", short_help="Let nobody remove a bucket, dataset or version until a date.")
@click.argument("name", metavar="BUCKET|DATASET[@VERSION]")
@click.option("--until", metavar="DATE", help="The date: 2030-01-31, or 2030-01-31T18:00 (local time).")
@click.option("--for", "span", metavar="TIME", help="How long from now: 90s, 15m, 24h, 365d.")
@with_session
def retain_command(session: Session, name: str, until: str | None, span: str | None) -> None:
    """Keep a bucket, a dataset or a version from being removed, by anybody, until a date.

    A retention can be made longer and never shorter. What is deleted or overwritten in a
    retained bucket is hidden as ever and can be brought back until then. A name that both a
    bucket and a dataset bear is written maru://NAME or maru://dataset/NAME.
    """
    if (until is None) == (span is None):
        raise InvalidInput("a retention has either a date or a span.", hint="Give --until or --for.")
    hub = session.hub()
    term: dict[str, Any] = {
        "until": None if until is None else _date(until),
        "for_s": None if span is None else seconds("--for", span),
    }
    bucket, dataset, version = _target(hub, name)
    if bucket:
        ends = hub.bucket(bucket).retain(**term)
        what = f"Bucket {bucket}"
    else:
        ends = hub.dataset(dataset).retain(version or None, **term)
        what = f"{dataset}@{version}" if version else f"Dataset {dataset}"
    fields = {"bucket": bucket, "dataset": dataset, "version": version, "retained_until": ends}
    text = f"{what} is retained until {time_text(ends)} at least."
    session.output.record({key: value for key, value in fields.items() if value}, text)


def _target(hub: Hub, name: str) -> tuple[str, str, str]:
    """Bucket, or dataset and version, of what was typed."""
    if "@" in name:
        dataset, _, version = name.partition("@")
        return "", dataset, version
    if name.startswith("maru://"):
        where = parse_short(name)
        if isinstance(where, DatasetAddress):
            return "", where.name, where.version
        if where.key:
            raise InvalidInput(f"{name!r} names an object.", hint="Retain its bucket, or a version it is in.")
        return where.bucket, "", ""
    is_bucket, is_dataset = _is_bucket(hub, name), _is_dataset(hub, name)
    if is_bucket and is_dataset:
        raise InvalidInput(
            f"{name!r} is a bucket and a dataset.", hint=f"Write maru://{name} or maru://dataset/{name}."
        )
    if not is_bucket and not is_dataset:
        raise NoSuchDataset(
            f"there is no bucket and no dataset {name!r}.", hint="See: maru ls, maru versions."
        )
    return (name, "", "") if is_bucket else ("", name, "")


def _is_bucket(hub: Hub, name: str) -> bool:
    try:
        hub.namespace.buckets.get(name)
    except (NoSuchBucket, InvalidInput):
        return False
    return True


def _is_dataset(hub: Hub, name: str) -> bool:
    try:
        return hub.dataset(name).exists
    except (NotFound, InvalidInput):
        return False


def _date(text: str) -> datetime.datetime:
    try:
        return datetime.datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise InvalidInput(f"--until {text!r} is not a date.", hint="Write one like 2030-01-31.") from None
