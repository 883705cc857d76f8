"""``maru du``, ``maru quota``: how much buckets and users hold, and how much they may."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click

from maruhub.cli.address import place
from maruhub.cli.output import count_text, size_text
from maruhub.cli.session import Session, with_session
from maruhub.errors import InvalidInput
from maruhub.namespace.quota import Quota
from maruhub.namespace.usage import Stock, Usage

if TYPE_CHECKING:
    from maruhub.namespace import Bucket, Namespace

_SIZE: Final = re.compile(r"(\d{1,15})(\.\d{1,3})?\s*([KMGTP]?)(i?)B?", re.IGNORECASE)
_FIELDS: Final = {
    Stock.OBJECT: "objects",
    Stock.VERSION: "versions",
    Stock.MARKER: "markers",
    Stock.HIDDEN: "hidden",
    Stock.UPLOAD: "uploads",
    Stock.PART: "parts",
}


@click.command("du", short_help="Show how much buckets and their owners hold.")
@click.argument("name", metavar="[BUCKET[/PREFIX]]", required=False)
@with_session
def du_command(session: Session, name: str | None) -> None:
    """Show how much each bucket holds, or one, or what lies below a prefix.

    Copies by reference count each; on the drives their bytes are there once.
    """
    namespace = session.hub().namespace
    found = place(name) if name else None
    buckets = namespace.buckets.all() if found is None else [namespace.buckets.get(found.bucket)]
    prefix = found.key if found else ""
    shown = [(bucket, namespace.quotas.usage(bucket.name, prefix)) for bucket in buckets]
    fields = [_fields(bucket, prefix, usage) for bucket, usage in shown]
    owners = _owners(namespace, shown) if found is None else []
    if session.output.as_json:
        session.output.record({"buckets": fields, "owners": owners})
        return
    columns = {
        "where": "bucket",
        "owner": "owner",
        "objects": "objects",
        "size": "bytes",
        "old": "older versions",
        "hidden_text": "restorable",
        "under_way": "uploads under way",
        "quota_text": "quota",
    }
    session.output.table([_words(one) for one in fields], columns, empty="No bucket.")
    for owner in owners:
        bound = f" of {_bound(owner['quota'])}" if owner["quota"] else ""
        holds = f"{count_text(owner['objects'], 'object')}, {size_text(owner['bytes'])}{bound}"
        session.output.line(f"{owner['owner'] or '(nobody)'}: {holds}")


def _fields(bucket: Bucket, prefix: str, usage: Usage) -> dict[str, Any]:
    counts = {
        name: {"count": usage.number(stock), "bytes": usage.size_bytes(stock)}
        for stock, name in _FIELDS.items()
    }
    quota = bucket.tail.get("quota") if not prefix else None
    return {"bucket": bucket.name, "prefix": prefix, "owner": bucket.owner, "quota": quota, **counts}


def _words(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a bucket as a table shows them."""
    old, hidden, parts = fields["versions"], fields["hidden"], fields["parts"]
    return {
        "where": f"{fields['bucket']}/{fields['prefix']}" if fields["prefix"] else fields["bucket"],
        "owner": fields["owner"],
        "objects": fields["objects"]["count"],
        "size": size_text(fields["objects"]["bytes"]),
        "old": f"{old['count']:,}, {size_text(old['bytes'])}" if old["count"] else "",
        "hidden_text": f"{hidden['count']:,}, {size_text(hidden['bytes'])}" if hidden["count"] else "",
        "under_way": f"{fields['uploads']['count']:,}, {size_text(parts['bytes'])}"
        if fields["uploads"]["count"]
        else "",
        "quota_text": _bound(fields["quota"]) if fields["quota"] else "",
    }


def _owners(namespace: Namespace, shown: list[tuple[Bucket, Usage]]) -> list[dict[str, Any]]:
    """What each owner's buckets hold together of what counts towards a quota, the largest first."""
    totals: dict[str, list[int]] = {}
    for bucket, usage in shown:
        total = totals.setdefault(bucket.owner, [0, 0])
        total[0] += usage.amount[0]
        total[1] += usage.amount[1]
    owners = []
    for owner, (objects, size_bytes) in sorted(totals.items(), key=lambda item: (-item[1][1], item[0])):
        user = namespace.quotas.user(owner) if owner else None
        quota = user.quota.fields if user else None
        owners.append({"owner": owner, "objects": objects, "bytes": size_bytes, "quota": quota})
    return owners


@click.command("quota", short_help="Bound how much a bucket or a user may hold.")
@click.argument("name", metavar="[BUCKET]", required=False)
@click.option("--user", metavar="NAME", help="All buckets of this user together, instead of one bucket.")
@click.option("--bytes", "size", metavar="SIZE", help="At most so many: 5000000, 20G, 1.5T (powers of 1000).")
@click.option("--objects", type=click.IntRange(min=0), metavar="N", help="At most so many objects.")
@click.option("--remove", is_flag=True, help="Take the quota away.")
@with_session
def quota_command(
    session: Session,
    name: str | None,
    *,
    user: str | None,
    size: str | None,
    objects: int | None,
    remove: bool,
) -> None:
    """Bound what BUCKET, or all buckets of a user, may hold; without options show it.

    Current objects count, older versions that are listed, and parts of uploads under way. What is
    deleted and merely restorable doesn't. What is there stays; only what would grow is refused.
    """
    if (name is None) == (user is None):
        raise InvalidInput("a quota is a bucket's or a user's.", hint="Give BUCKET, or --user NAME.")
    quota = Quota(None if size is None else _size(size), objects)
    if remove and quota.fields:
        raise InvalidInput("--remove takes no bounds.", hint="Leave out --bytes and --objects.")
    namespace = session.hub().namespace
    whose = {"user": user} if user else {"bucket": place(name or "").bucket}
    if remove or quota.fields:
        _set(namespace, whose, None if remove else quota)
    fields = {**whose, **_now(namespace, whose)}
    bound = _bound(fields["quota"]) if fields["quota"] else "no quota"
    text = f"{user or whose['bucket']}: {bound}"
    if fields["objects"] is not None:
        holds = f"{count_text(fields['objects'], 'object')}, {size_text(fields['bytes'])}"
        text += f"; holds {holds}"
    session.output.record(fields, text)


def _set(namespace: Namespace, whose: dict[str, str], quota: Quota | None) -> None:
    if "user" in whose:
        namespace.quotas.set_user(whose["user"], quota)
    else:
        namespace.quotas.set_bucket(whose["bucket"], quota)
        if quota is not None and not namespace.quotas.is_counted(whose["bucket"]):
            namespace.quotas.recount(whose["bucket"])


def _now(namespace: Namespace, whose: dict[str, str]) -> dict[str, Any]:
    """The quota that is set, and what counts towards it; None where nobody counts."""
    if "user" in whose:
        user = namespace.quotas.user(whose["user"])
        objects, size_bytes = user.amount if user else (None, None)
        return {"quota": user.quota.fields if user else None, "objects": objects, "bytes": size_bytes}
    bucket = namespace.buckets.get(whose["bucket"])
    objects, size_bytes = namespace.quotas.usage(bucket.name).amount
    return {"quota": bucket.tail.get("quota"), "objects": objects, "bytes": size_bytes}


def _bound(quota: dict[str, int]) -> str:
    """A quota in words."""
    words = [count_text(quota["objects"], "object")] if "objects" in quota else []
    return ", ".join([*words, *([size_text(quota["bytes"])] if "bytes" in quota else [])])


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(
            f"{text!r:.40} is no size.", hint="Write 5000000, 20G, or 16Gi for powers of 1024."
        )
    whole, part, unit, binary = found.groups()
    step = 1024 if binary else 1000
    power = "KMGTP".find(unit.upper()) + 1 if unit else 0
    factor: int = step**power
    return round(float(whole + (part or "")) * factor)
