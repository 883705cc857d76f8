"""A right that a request needs: what every door asks about, and one place decides."""

from __future__ import annotations

from typing import Final, NamedTuple

ADMIN: Final = "maru:Admin"
"""What only an administrator's key may, whatever a policy says of all actions."""
TRAIN: Final = "maru:Train"
"""To record runs over a version, and keep views of it."""


class Need(NamedTuple):
    """A right on the hub, on a bucket, on an object, or on a version of it.

    Attributes:
        action: One of S3's, ``ADMIN`` or ``TRAIN``.
        bucket: Empty: all of them together.
        key: Empty: the bucket itself. In ``dataset`` it is ``NAME/VERSION/`` for all of a version.
        version_id: Of the object's version that is meant.
        parameters: What else is asked that policies know, by its condition key (``s3:prefix``), where
            it isn't in the query.
    """

    action: str
    bucket: str = ""
    key: str = ""
    version_id: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
