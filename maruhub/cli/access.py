"""``maru key``, ``maru user``, ``maru chown``: who may do what over HTTP."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from maruhub.cli.address import place
from maruhub.cli.output import time_text
from maruhub.cli.session import Session, with_session
from maruhub.errors import InvalidInput

if TYPE_CHECKING:
    from maruhub.namespace.access_key import NewKey

_KEY_COLUMNS = {
    "access_key": "access key",
    "name": "name",
    "user": "user",
    "state": "state",
    "bounds": "policy",
    "made": "made",
}
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("key", short_help="Issue, list, disable, rotate and delete access keys.")
def key_command() -> None:
    """Access keys, with which clients come over HTTP.

    Whoever can read and write the hub's folder needs none: there file permissions decide.
    """


@key_command.command("create")
@click.argument("name")
@click.option("--user", metavar="USER", help="Whose it is; by default the user called NAME.")
@click.option("--admin", is_flag=True, help="It may do everything.")
@click.option(
    "--policy",
    type=_FILE,
    metavar="FILE",
    help="The key's own policy: it may do what FILE says and nothing else.",
)
@with_session
def create_command(
    session: Session, name: str, *, user: str | None, admin: bool, policy: Path | None
) -> None:
    """Issue an access key called NAME; its user is made if there is none.

    The secret is shown this once: it can't be shown again, only rotated.
    """
    text = None if policy is None else _policy(policy)
    hub = session.hub()
    _show_new(session, hub.users.create_key(user or name, admin=admin, policy=text, name=name))


@key_command.command("list")
@click.option("--user", metavar="USER", help="Only keys of this user.")
@with_session
def list_command(session: Session, user: str | None) -> None:
    """List access keys, without their secrets."""
    rows: list[dict[str, Any]] = [asdict(info) for info in session.hub().users.list(user)]
    for row in rows if not session.output.as_json else ():
        row["state"] = ("enabled" if row["enabled"] else "disabled") + (", admin" if row["admin"] else "")
        row["bounds"] = "no" if row["policy"] is None else "yes"
        row["made"] = time_text(row["created_us"])
    session.output.table(
        rows, _KEY_COLUMNS, empty="There are no access keys. Issue one: maru key create NAME"
    )


@key_command.command("disable")
@click.argument("access_key")
@with_session
def disable_command(session: Session, access_key: str) -> None:
    """Accept ACCESS_KEY no more, until it is enabled; takes effect within a second."""
    session.hub().users.disable(access_key)
    session.output.record({"access_key": access_key, "enabled": False}, f"Disabled {access_key}.")


@key_command.command("enable")
@click.argument("access_key")
@with_session
def enable_command(session: Session, access_key: str) -> None:
    """Accept ACCESS_KEY again."""
    session.hub().users.enable(access_key)
    session.output.record({"access_key": access_key, "enabled": True}, f"Enabled {access_key}.")


@key_command.command("rotate")
@click.argument("access_key")
@with_session
def rotate_command(session: Session, access_key: str) -> None:
    """Give ACCESS_KEY another secret, shown this once; the old one is refused within a second."""
    _show_new(session, session.hub().users.rotate(access_key))


@key_command.command("delete")
@click.argument("access_key")
@with_session
def delete_command(session: Session, access_key: str) -> None:
    """Remove ACCESS_KEY for good; its user, and what is the user's, stay."""
    session.hub().users.delete(access_key)
    session.output.record({"access_key": access_key, "deleted": True}, f"Deleted {access_key}.")


@click.group("user", short_help="List users; give them policies.")
def user_command() -> None:
    """Users own access keys and buckets; the first key made for one makes the user."""


@user_command.command("list")
@with_session
def users_command(session: Session) -> None:
    """List users, and what their policies say."""
    rows = [asdict(user) for user in session.hub().users.all()]
    columns = {"name": "user", "admin": "admin", "policy": "policy"}
    session.output.table(rows, columns, empty="There are no users. Issue a key: maru key create NAME")


@user_command.command("policy")
@click.argument("name")
@click.argument("file", type=_FILE, required=False)
@click.option("--remove", is_flag=True, help="Take the user's policy away.")
@with_session
def policy_command(session: Session, name: str, *, file: Path | None, remove: bool) -> None:
    """Show the policy of user NAME, or make FILE its policy.

    Without one a user may do what buckets' policies allow, and everything in buckets of their own.
    """
    if remove and file is not None:
        raise InvalidInput("a policy is either set or removed.", hint="Give FILE or --remove.")
    users = session.hub().users
    if remove or file is not None:
        users.set_user_policy(name, None if file is None else _policy(file))
        text = f"{'Removed' if remove else 'Set'} the policy of {name}."
    user = users.user(name)
    if not (remove or file):
        text = user.policy if user.policy is not None else f"{name} has no policy."
    session.output.record({"user": user.name, "policy": user.policy}, text)


@click.command("chown", short_help="Give a bucket to a user.")
@click.argument("bucket")
@click.argument("user", required=False)
@click.option("--nobody", is_flag=True, help="Take it from its owner: only policies and admins' keys count.")
@with_session
def chown_command(session: Session, bucket: str, user: str | None, *, nobody: bool) -> None:
    """Give BUCKET to USER, who then has full rights to it over HTTP."""
    if nobody == bool(user):
        raise InvalidInput("a bucket is given to one user.", hint="Give USER or --nobody.")
    found = place(bucket)
    if found.key:
        raise InvalidInput(f"{bucket!r} names an object, not a bucket.", hint="Write only the bucket's name.")
    changed = session.hub().namespace.buckets.set_owner(found.bucket, user or "")
    text = f"Bucket {changed.name} belongs to {changed.owner or 'nobody'} now."
    session.output.record({"bucket": changed.name, "owner": changed.owner}, text)


def _show_new(session: Session, new: NewKey) -> None:
    fields = {
        "access_key": new.access_key,
        "secret_key": new.secret_key.reveal(),
        "user": new.user,
        "admin": new.admin,
    }
    text = (
        f"access key  {new.access_key}\nsecret key  {new.secret_key.reveal()}\n"
        f"user        {new.user}{', may do everything' if new.admin else ''}"
    )
    session.output.record(fields, text)
    session.output.note("The secret is shown this once: keep it where only its owner reads it.")


def _policy(file: Path) -> str:
    """The document in a file, if it is a policy of a user or key; raises InvalidInput."""
    from maruhub.gateway.s3.failure import S3Failure
    from maruhub.gateway.s3.policies.document import POLICY_BYTES_MAX, read_policy

    with file.open("rb") as opened:
        raw = opened.read(POLICY_BYTES_MAX + 1)
    try:
        return read_policy(raw, bucket=None).text
    except S3Failure as wrong:
        raise InvalidInput(
            f"{file} is no policy: {wrong.what}", hint="See docs/reference/policies.md."
        ) from None
