"""Who may what: the question that the server answers for the key that signed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from maruhub.errors import NoSuchBucket, Refused
from maruhub.gateway.need import Need

if TYPE_CHECKING:
    from maruhub.namespace import Namespace

Allowed = Callable[[Need], bool]
"""Whether the caller may; raises NoSuchBucket where there is none."""


def require(allowed: Allowed, action: str, bucket: str = "", key: str = "") -> None:
    """Raises Refused unless the caller may."""
    need = Need(action, bucket, key)
    if not allowed(need):
        raise refusal(need)


def refusal(need: Need) -> Refused:
    """The error of who may not."""
    where = f" on {need.bucket}/{need.key}".rstrip("/") if need.bucket else ""
    return Refused(
        f"this key may not do {need.action}{where}.", hint="Whoever runs the hub gives rights to keys."
    )


def make_bucket(names: Namespace, bucket: str, allowed: Allowed, owner: str) -> None:
    """Makes a bucket that is not there, as ``owner``'s, if the caller may; Refused."""
    try:
        names.buckets.get(bucket)
    except NoSuchBucket:
        require(allowed, "s3:CreateBucket", bucket)
        names.buckets.create(bucket, owner=owner, exist_ok=True)
