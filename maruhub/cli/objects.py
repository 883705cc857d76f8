"""``maru ls|cat|stat|rm|undelete|history``: objects seen, deleted and brought back."""

from __future__ import annotations

import itertools
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from maruhub.cli.address import Place, object_place, place
from maruhub.cli.output import count_text, printable, time_text
from maruhub.cli.reading import (
    entries,
    key_in,
    object_fields,
    opened,
    readable,
    readable_object,
    sample_fields,
    text_of,
)
from maruhub.cli.session import Session, with_session
from maruhub.errors import InvalidInput, NoSuchKey
from maruhub.namespace.address import ObjectAddress
from maruhub.namespace.retention import wall_moment

if TYPE_CHECKING:
    from maruhub.api import Hub

_DELETE_PAGE: Final = 1000
_VERSION_ID: Final = re.compile(r"[0-9A-Fa-f]{16}")


@click.command("ls", short_help="List buckets, folders and objects.")
@click.argument("address", required=False)
@click.option("-r", "--recursive", is_flag=True, help="All objects below, not one level.")
@with_session
def ls_command(session: Session, address: str | None, recursive: bool) -> None:
    """List buckets, or what lies below ADDRESS (BUCKET or BUCKET/PREFIX).

    One level is shown, as in a folder; a line holds the size in bytes, when it was
    stored, and the key. maru://dataset/ lists datasets, maru://dataset/NAME/VERSION/ what
    a version holds.
    """
    hub = session.hub()
    if address is None:
        buckets = hub.namespace.buckets.all()
        rows = ({"bucket": b.name, "delay_s": b.delay_s, "created_us": b.created_us} for b in buckets)
        session.output.stream(rows, lambda row: f"maru://{row['bucket']}")
        return
    where = readable(address)
    if isinstance(where, ObjectAddress):
        hub.namespace.buckets.get(where.bucket)
    found = session.output.stream(entries(hub, where, recursive=recursive), _entry_line)
    if not found and key_in(where):
        above = str(where).removesuffix(key_in(where))
        raise NoSuchKey(f"Nothing lies at {where}.", hint=f"See: maru ls {above}")


def _entry_line(row: Any) -> str:
    if "prefix" in row:
        return f"{'folder':>12}  {'':19}  {row['prefix']}"
    return f"{row['size']:>12}  {time_text(row['created_us'])}  {row['key']}"


@click.command("cat", short_help="Write objects to standard output.")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@with_session
def cat_command(session: Session, addresses: tuple[str, ...]) -> None:
    """Write the bytes of objects to standard output, one after the other."""
    hub = session.hub()
    out = sys.stdout.buffer
    for where, key in map(readable_object, addresses):
        for piece in opened(hub, where).pieces(key):
            out.write(piece)
    out.flush()


@click.command("stat", short_help="Show all that is known of an object.")
@click.argument("address")
@with_session
def stat_command(session: Session, address: str) -> None:
    """Show size, sums, times and metadata of the object at ADDRESS.

    Of a version's sample (maru://dataset/NAME/VERSION/BUCKET/KEY) also its labels.
    """
    where, key = readable_object(address)
    if isinstance(where, ObjectAddress):
        hub = session.hub()
        fields = object_fields(hub.bucket(where.bucket).stat(key)) | _retained(hub, where.bucket)
        session.output.record(fields, text_of(fields))
        return
    from maruhub.api.frozen import frozen_bucket

    bucket = frozen_bucket(session.hub(), where)
    sample = bucket.stat(key)
    fields = {**sample_fields(bucket, sample), "columns": bucket.labels(sample)}
    session.output.record(fields, text_of(fields))


def _retained(hub: Hub, bucket: str) -> dict[str, Any]:
    """Until when nothing in the bucket may be removed for good, if anybody said so."""
    until_us, now_us = hub.namespace.buckets.get(bucket).retain_until_us, hub.store.pool_time_us()
    return {"retained_until": wall_moment(until_us, now_us)} if until_us > now_us else {}


@click.command("rm", short_help="Delete objects (restorable for a time).")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.option("-r", "--recursive", is_flag=True, help="Everything below ADDRESS.")
@click.option("-f", "--force", is_flag=True, help="What is not there is no error.")
@with_session
def rm_command(session: Session, addresses: tuple[str, ...], recursive: bool, force: bool) -> None:
    """Delete objects. Until the bucket's delay ends, maru undelete brings them back.

    With -r all that lies in the folder or bucket ADDRESS; an object that has a folder's very
    name is not in that folder and stays.
    """
    hub = session.hub()
    deleted = 0
    for text in addresses:
        where = place(text) if recursive else object_place(text)
        count = _delete_below(hub, where) if recursive else sum(_delete(hub, where.bucket, [where.key]))
        if not count and not force:
            hint = (
                "Without -r the object of that very name is deleted." if recursive else "A folder needs -r."
            )
            raise NoSuchKey(f"There is nothing {'below' if recursive else 'at'} {where}.", hint=hint)
        deleted += count
    session.output.record({"deleted": deleted}, f"Deleted {count_text(deleted, 'object')}.")


def _delete_below(hub: Hub, where: Place) -> int:
    """Everything in a folder, a page a commit; an object of the folder's own name stays, as for cp."""
    keys = (info.key for info in hub.bucket(where.bucket).list(where.below))
    deleted = 0
    while page := list(itertools.islice(keys, _DELETE_PAGE)):
        deleted += sum(_delete(hub, where.bucket, page))
    return deleted


def _delete(hub: Hub, bucket: str, keys: list[str]) -> list[bool]:
    return hub.bucket(bucket).delete_many(keys)


@click.command("undelete", short_help="Bring back a deleted or overwritten object.")
@click.argument("address")
@click.option(
    "--version", "version_id", metavar="ID", help="The version to bring back (default: the newest hidden)."
)
@with_session
def undelete_command(session: Session, address: str, version_id: str | None) -> None:
    """Bring back the object at ADDRESS as it was before it was deleted or overwritten.

    A bucket's name brings back the bucket that was removed last, with what can be restored in it.
    """
    named = place(address)
    if not named.key and version_id is None:
        bucket = session.hub().namespace.buckets.undelete(named.bucket)
        session.output.record({"bucket": bucket.name}, f"Bucket {bucket.name} is back.")
        return
    where = object_place(address)
    if version_id is not None and not _VERSION_ID.fullmatch(version_id):
        raise InvalidInput(
            f"--version {version_id!r} is no version id: those are 16 hex digits.",
            hint=f"See: maru history {where}",
        )
    info = session.hub().bucket(where.bucket).undelete(where.key, version_id)
    session.output.record(
        object_fields(info), f"{where} is back: {count_text(info.size, 'byte')}, version {info.version_id}."
    )


@click.command("history", short_help="Show who did what to a key, and when.")
@click.argument("address")
@with_session
def history_command(session: Session, address: str) -> None:
    """Show who did what to the object at ADDRESS, and when; the newest last."""
    where = object_place(address)
    events = session.hub().bucket(where.bucket).history(where.key)
    rows = [
        {
            "time_us": event.time_us,
            "time": time_text(event.time_us),
            "who": event.actor,
            "what": event.what,
            "version_id": event.version_id,
            "size": event.size,
        }
        for event in events
    ]
    headings = {"time": "when", "who": "who", "what": "what", "size": "bytes", "version_id": "version"}
    session.output.table(rows, headings, empty=f"Nothing is known of {printable(str(where))}.")
