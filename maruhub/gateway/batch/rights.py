"""Who may what: the question that the server answers for the key that signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from maruhub.errors import NoSuchBucket, Refused

if TYPE_CHECKING:
    from maruhub.namespace import Namespace


class Allowed(Protocol):
    """Whether the caller may; NoSuchBucket where there is none.

    Actions are S3's, ``maru:Train`` and ``maru:Admin``. Of a listing ``parameters`` are pairs of a
    condition key (``s3:prefix``) and its value.
    """

    def __call__(
        self,
        action: str,
        bucket: str,
        key: str,
        version_id: str | None = None,
        parameters: tuple[tuple[str, str], ...] = (),
        /,
    ) -> bool: ...


ADMIN: Final = "maru:Admin"
TRAIN: Final = "maru:Train"
"""To record runs over a version, and keep views of it."""


def require(allowed: Allowed, action: str, bucket: str = "", key: str = "") -> None:
    """Raises Refused unless the caller may."""
    if not allowed(action, bucket, key):
        raise refusal(action, bucket, key)


def refusal(action: str, bucket: str = "", key: str = "") -> Refused:
    """The error of who may not."""
    where = f" on {bucket}/{key}".rstrip("/") if bucket else ""
    return Refused(f"this key may not do {action}{where}.", hint="Whoever runs the hub gives rights to keys.")


def make_bucket(names: Namespace, bucket: str, allowed: Allowed, owner: str) -> None:
    """Makes a bucket that is not there, as ``owner``'s, if the caller may; Refused."""
    try:
        names.buckets.get(bucket)
    except NoSuchBucket:
        require(allowed, "s3:CreateBucket", bucket)
        names.buckets.create(bucket, owner=owner, exist_ok=True)
