"""Which names buckets and keys may have, and why not.

Pure. Bucket names follow S3, so that each is a host name too; keys are any UTF-8.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from maruhub.errors import InvalidName

KEY_BYTES_MAX: Final = 1024
"""Longest key, in bytes of UTF-8."""

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_ADDRESS: Final = re.compile(r"\d+\.\d+\.\d+\.\d+", re.ASCII)
_STARTS: Final = ("xn--", "sthree-", "amzn-s3-demo-")
_ENDS: Final = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_RULE: Final = "3 to 63 of a-z, 0-9, '-' and '.', with a letter or digit at both ends"


def check_bucket_name(name: str) -> None:
    """Raises InvalidName, saying why, unless ``name`` may name a bucket."""
    reason = _bucket_fault(name)
    if reason:
        raise InvalidName(f"{name!r} cannot name a bucket: {reason}.", hint="Choose another name.")


@functools.lru_cache(maxsize=1024)
def _bucket_fault(name: str) -> str:
    """Why not, empty if nothing speaks against it."""
    if not _BUCKET.fullmatch(name):
        return f"it is not {_RULE}"
    if name == "dataset":
        return "'dataset' is reserved, maru://dataset/NAME/VERSION/ addresses versions of datasets"
    if name.startswith("maru-"):
        return "names that begin with 'maru-' are reserved for the hub itself"
    if any(pair in name for pair in ("..", ".-", "-.")):
        return "each part between dots must begin and end with a letter or digit"
    if _ADDRESS.fullmatch(name):
        return "it looks like an IP address"
    start = next((s for s in _STARTS if name.startswith(s)), None)
    end = next((e for e in _ENDS if name.endswith(e)), None)
    if start or end:
        return f"names that {'begin' if start else 'end'} with {start or end!r} are reserved in S3"
    return ""


def encode_text(text: str, what: str) -> bytes:
    """UTF-8 of a prefix, a delimiter or the like; raises InvalidName where that is impossible."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidName(f"the {what} {text!r} is not UTF-8.", hint="Rename it to valid UTF-8.") from None


def encode_key(key: str) -> bytes:
    """The bytes of a key; raises InvalidName unless they are 1 to 1,024 bytes of UTF-8."""
    raw = encode_text(key, "key")
    if not 1 <= len(raw) <= KEY_BYTES_MAX:
        raise InvalidName(
            f"the key {key[:40]!r} has {len(raw)} bytes.",
            hint=f"A key has 1 to {KEY_BYTES_MAX} bytes of UTF-8.",
        )
    return raw
