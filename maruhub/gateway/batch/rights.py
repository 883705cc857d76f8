"""Who may what: the question that the server answers for the key that signed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from maruhub.errors import Refused

Allowed = Callable[[str, str, str], bool]
"""(action, bucket, key) → whether the caller may. Actions are S3's, and ``maru:Admin``."""

ADMIN: Final = "maru:Admin"


def require(allowed: Allowed, action: str, bucket: str = "", key: str = "") -> None:
    """Raises Refused unless the caller may."""
    if not allowed(action, bucket, key):
        raise refusal(action, bucket, key)


def refusal(action: str, bucket: str = "", key: str = "") -> Refused:
    """The error of who may not."""
    where = f" on {bucket}/{key}".rstrip("/") if bucket else ""
    return Refused(f"this key may not do {action}{where}.", hint="Whoever runs the hub gives rights to keys.")
