"""``maru mb``, ``maru rb``: buckets made and removed."""

from __future__ import annotations

import click

from maruhub.cli.address import place
from maruhub.cli.session import Session, with_session
from maruhub.cli.span import seconds
from maruhub.errors import InvalidInput


@click.command("mb", short_help="Make a bucket.")
@click.argument("name")
@click.option(
    "--delay",
    default="24h",
    show_default=True,
    metavar="TIME",
    help="How long deleted and overwritten objects stay restorable: 90s, 15m, 24h, 30d.",
)
@with_session
def mb_command(session: Session, name: str, delay: str) -> None:
    """Make bucket NAME.

    The first put or ingest makes a bucket too; this is for choosing its delay.
    """
    bucket = session.hub().namespace.buckets.create(_bucket(name), delay_s=seconds("--delay", delay))
    session.output.record({"bucket": bucket.name, "delay_s": bucket.delay_s}, f"Made bucket {bucket.name}.")


@click.command("rb", short_help="Remove an empty bucket.")
@click.argument("name")
@with_session
def rb_command(session: Session, name: str) -> None:
    """Remove bucket NAME, which must be empty."""
    session.hub().namespace.buckets.delete(_bucket(name))
    session.output.record(
        {"bucket": _bucket(name), "removed": True},
        f"Removed bucket {_bucket(name)}. `maru undelete {_bucket(name)}` brings it back with what was deleted in it.",
    )


def _bucket(text: str) -> str:
    found = place(text)
    if found.key:
        raise InvalidInput(f"{text!r} names an object, not a bucket.", hint="Write only the bucket's name.")
    return found.bucket
