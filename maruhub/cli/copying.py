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
from maruhub.cli.output import count_text, size_text
from maruhub.cli.reading import key_in, object_fields, opened
from maruhub.cli.session import Session, with_session
from maruhub.errors import InvalidInput, NoSuchKey
from maruhub.namespace.address import Address, DatasetAddress, is_address, parse_address

if TYPE_CHECKING:
    from maruhub.api.bucket import BucketView
    from maruhub.api.export import Moved, Readable


@click.command("cp", short_help="Copy in, out, or inside the hub (by reference).")
@click.argument("source")
@click.argument("target")
@click.option("-r", "--recursive", is_flag=True, help="Everything below SOURCE, to below TARGET.")
@with_session
def cp_command(session: Session, source: str, target: str, recursive: bool) -> None:
    """Copy SOURCE to TARGET; one of them, or both, is maru://BUCKET/KEY.

    cp -r maru://B/P OUT writes the object B/P/a/b to OUT/a/b; names that a file system
    cannot hold are escaped, and unescaped on the way back in. A copy inside the hub moves
    no bytes. - as the local side is standard input or output; a local TARGET that ends in
    / is a folder, and made. SOURCE may lie in a version: maru://dataset/NAME/VERSION/ID.
    """
    read = parse_address(source) if is_address(source) else Path(source)
    match read, place_or_path(target):
        case (Place() as a, Place() as b):
            _inside(session, a, b, recursive=recursive)
        case (DatasetAddress() as a, Place()):
            raise InvalidInput(
                f"{a} cannot be copied inside the hub.",
                hint="Copy it to a file or folder, and that to TARGET.",
            )
        case (Place() | DatasetAddress() as a, Path() as out):
            _out(session, a, out, recursive=recursive, into=target.endswith("/"))
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
        count = hub.bucket(source.bucket).copy_all(source.below, target.below, bucket=target.bucket)
        session.output.record(
            {"copied": count}, f"Copied {count_text(count, 'object')} by reference to {target}."
        )
        return
    key = _named(target.key, source.key)
    info = hub.bucket(source.bucket).copy(_key(source), key, bucket=target.bucket)
    session.output.record(object_fields(info), f"Copied by reference to maru://{info.bucket}/{info.key}.")


def _out(session: Session, source: Address, target: Path, *, recursive: bool, into: bool) -> None:
    from maruhub.api.export import export_folder, export_object, write_object

    bucket = opened(session.hub(), source)
    if not recursive:
        _require_object(bucket, source)
    if recursive:
        with session.output.progress("Copying", unit="objects") as advance:
            moved = export_folder(bucket, source.below, target, progress=advance)
        _show_moved(session, moved, str(target))
    elif str(target) == "-":
        write_object(bucket, bucket.stat(_key(source)), sys.stdout.buffer)
    else:
        path = export_object(bucket, _key(source), target, into=into)
        session.output.record({"path": path}, f"Copied to {path}.")


def _require_object(bucket: Readable, source: Address) -> None:
    """Raises NoSuchKey; for a folder one that says how folders are copied."""
    try:
        bucket.stat(_key(source))
    except NoSuchKey:
        if next(iter(bucket.list(source.below)), None) is None:
            raise
        raise NoSuchKey(f"{source} is a folder.", hint="Add -r to copy all that lies in it.") from None


def _in(session: Session, source: Path, target: Place, *, recursive: bool) -> None:
    from maruhub.api.intake import import_folder

    bucket = session.hub().bucket(target.bucket)
    if not recursive:
        _file_in(session, bucket, source, target)
        return
    if not source.is_dir():
        raise InvalidInput(f"{source} is not a folder.", hint="Leave out -r to copy one file.")
    with session.output.progress("Copying", unit="objects") as advance:
        moved = import_folder(bucket, target.below, source, progress=advance)
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
    text = f"Copied {count_text(moved.objects, 'object')} ({size_text(moved.size_bytes)}) to {target}."
    session.output.record(fields, text)


def _key(where: Address) -> str:
    key = key_in(where)
    if not key:
        what = "a version" if isinstance(where, DatasetAddress) else "a bucket"
        raise InvalidInput(f"{where} names {what}.", hint="Add -r to copy all of it.")
    return key


def _named(key: str, source: str) -> str:
    """The target's key: as given, or below it under the source's own last name."""
    return key + source.rsplit("/", 1)[-1] if not key or key.endswith("/") else key
