"""``maru lifecycle``: what the rules of buckets expire."""

from __future__ import annotations

import click

from maruhub.cli.output import count_text, size_text
from maruhub.cli.session import Session, with_session


@click.command("lifecycle", short_help="Expire what the lifecycle rules of buckets say is over.")
@click.option("--dry-run", is_flag=True, help="Change nothing: list what would expire, and by which rule.")
@with_session
def lifecycle_command(session: Session, dry_run: bool) -> None:
    """Expire what the rules of buckets say is over: objects, older versions, markers, uploads.

    It is deleted as by hand: it can be brought back for its bucket's delay, and locks keep it. Rules
    come over HTTP (PutBucketLifecycleConfiguration). `maru care` does this by itself.
    """
    from maruhub.care.lifecycle import Lifecycle

    lifecycle = Lifecycle(session.hub().store)
    expiries = lifecycle.survey() if dry_run else lifecycle.run()
    fields = expiries.to_json()
    if session.output.as_json:
        session.output.record(fields)
        return
    columns = {"bucket": "bucket", "kind": "what", "rule": "rule", "count": "how many"}
    session.output.table(fields["groups"], columns, empty="Nothing is due.")
    if fields["groups"]:
        done = "would expire" if dry_run else "expired"
        session.output.line(f"{size_text(expiries.size_bytes)} {done}.")
    for bucket, count in expiries.locked.items():
        session.output.line(f"{bucket}: {count_text(count, 'version')} kept by locks.")
    for bucket in expiries.unreadable:
        session.output.line(f"{bucket}: nothing expires, its rules can't be read.")
