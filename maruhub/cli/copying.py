"""``maru cp``: objects in, out, and inside the hub.

Which of the three it is, the two places say; the work is in the API (in: intake,
out: export, inside: copy by reference).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from maruhub.cli.address import Place, place_or_path
from maruhub.cli.objects import object_fields
from maruhub.cli.output import size_text
from maruhub.cli.session import Session, with_session
from maruhub.errors import InvalidInput

if TYPE_CHECKING:
    from maruhub.api.bucket import BucketView
    from maruhub.api.export import Moved


@click.command("cp", short_help="Copy in, out, or inside the hub (by reference).")
@click.argument("source")
@click.argument("target")
@click.option("-r", "--recursive", is_flag=True, help="Everything below SOURCE, to below TARGET.")
@with_session
def cp_command(session: Session, source: str, target: str, recursive: bool) -> None:
    """Copy SOURCE to TARGET; one of them, or both, is maru://BUCKET/KEY.

    cp -r maru://B/P OUT writes the object B/P/a/b to OUT/a/b; names that a file system
    cannot hold are escaped, and unescaped on the way back in. A copy inside the hub moves
    no bytes. - as the local side is standard input or output.
    """
    places = place_or_path(source), place_or_path(target)
    match places:
        case (Place() as a, Place() as b):
            _inside(session, a, b, recursive=recursive)
        case (Place() as a, Path() as out):
            _out(session, a, out, recursive=recursive)
        case (Path() as path, Place() as b):
            _in(session, path, b, recursive=recursive)
        case _:
            raise InvalidInput(
                f"Neither {source!r} nor {target!r} lies in the hub.",
                hint="Write maru://BUCKET/KEY for what lies in the hub.",
            )


def _inside(session: Session, source: Place, target: Place, *, recursive: bool) -> None:
    hub = session.hub()
    if recursive:
        count = hub.bucket(source.bucket).copy_all(
            _folder(source.key), _folder(target.key), bucket=target.bucket
        )
        session.output.record({"copied": count}, f"Copied {count} objects by reference to {target}.")
        return
    key = _named(target.key, source.key)
    info = hub.bucket(source.bucket).copy(_key(source), key, bucket=target.bucket)
    session.output.record(object_fields(info), f"Copied by reference to maru://{info.bucket}/{info.key}.")


def _out(session: Session, source: Place, target: Path, *, recursive: bool) -> None:
    from maruhub.api.export import export_folder, export_object, write_object

    bucket = session.hub().bucket(source.bucket)
    if recursive:
        with session.output.progress("Copying", unit="objects") as advance:
            moved = export_folder(bucket, _folder(source.key), target, progress=advance)
        _show_moved(session, moved, str(target))
    elif str(target) == "-":
        write_object(bucket, _key(source), sys.stdout.buffer)
    else:
        path = export_object(bucket, _key(source), target)
        session.output.record({"path": path}, f"Copied to {path}.")


def _in(session: Session, source: Path, target: Place, *, recursive: bool) -> None:
    from maruhub.api.intake import import_folder

    bucket = session.hub().bucket(target.bucket)
    if not recursive:
        _file_in(session, bucket, source, target)
        return
    if not source.is_dir():
        raise InvalidInput(f"{source} is not a folder.", hint="Leave out -r to copy one file.")
    with session.output.progress("Copying", unit="objects") as advance:
        moved = import_folder(bucket, _folder(target.key), source, progress=advance)
    _show_moved(session, moved, str(target))


def _file_in(session: Session, bucket: BucketView, source: Path, target: Place) -> None:
    from maruhub.api.intake import import_file

    if source.is_dir():
        raise InvalidInput(f"{source} is a folder.", hint="Add -r to copy all that lies in it.")
    if str(source) == "-":
        key = _key(target)
        bucket.put(key, sys.stdin.buffer)
    else:
        key = _named(target.key, source.name)
        import_file(bucket, key, source)
    session.output.record(object_fields(bucket.stat(key)), f"Copied to maru://{target.bucket}/{key}.")


def _show_moved(session: Session, moved: Moved, target: str) -> None:
    fields = {"objects": moved.objects, "bytes": moved.size_bytes}
    text = f"Copied {moved.objects} objects ({size_text(moved.size_bytes)}) to {target}."
    session.output.record(fields, text)


def _key(where: Place) -> str:
    if not where.key:
        raise InvalidInput(f"{where} names a bucket.", hint="Add -r to copy all of it.")
    return where.key


def _named(key: str, source: str) -> str:
    """The target's key: as given, or below it under the source's own last name."""
    return key + source.rsplit("/", 1)[-1] if not key or key.endswith("/") else key


def _folder(key: str) -> str:
    """A prefix that ends at a folder's border."""
    return key if not key or key.endswith("/") else key + "/"
