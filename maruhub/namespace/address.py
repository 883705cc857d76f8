"""Addresses: ``maru://bucket/key``, and ``maru://dataset/NAME/VERSION/…``.

Pure. What follows the bucket is the key as it is: nothing is percent-decoded, no ``..``
is resolved, so every key has an address and every address one meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from maruhub.errors import InvalidInput, InvalidName
from maruhub.namespace.names import KEY_BYTES_MAX, check_bucket_name, encode_text

SCHEME: Final = "maru://"
_DATASET: Final = "dataset"


@dataclass(frozen=True, slots=True)
class ObjectAddress:
    """A bucket, and a key or prefix in it (empty: the bucket itself)."""

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class DatasetAddress:
    """A version of a dataset, and a path in it; empty parts were not given."""

    name: str = ""
    version: str = ""
    path: str = ""

    def __str__(self) -> str:
        parts = [_DATASET, self.name, self.version, self.path]
        while len(parts) > 1 and not parts[-1]:
            parts.pop()
        return SCHEME + "/".join(parts)


Address = ObjectAddress | DatasetAddress


def is_address(text: str) -> bool:
    """Whether ``text`` means an address and not a local path."""
    return text.startswith(SCHEME)


def parse_address(text: str) -> Address:
    """The address that ``text`` spells; ``str`` of it is the inverse.

    Raises InvalidInput if it does not begin with ``maru://``, InvalidName for a bad bucket
    name or key.
    """
    if not is_address(text):
        raise InvalidInput(f"{text[:80]!r} is not an address.", hint="Write maru://BUCKET/KEY.")
    bucket, _, rest = text[len(SCHEME) :].partition("/")
    if bucket == _DATASET:
        name, version, path = (*rest.split("/", 2), "", "")[:3]
        if (version or path) and not (name and version):
            raise InvalidName(
                f"{text[:80]!r} leaves out a part.", hint="Write maru://dataset/NAME/VERSION/PATH."
            )
        return DatasetAddress(name, version, path)
    check_bucket_name(bucket)
    size_bytes = len(encode_text(rest, "key"))
    if size_bytes > KEY_BYTES_MAX:
        raise InvalidName(
            f"the key in {text[:80]!r} has {size_bytes} bytes.", hint=f"At most {KEY_BYTES_MAX}."
        )
    return ObjectAddress(bucket, rest)


def parse_bucket_path(text: str) -> ObjectAddress:
    """``BUCKET[/PREFIX]``, with or without ``maru://`` in front; raises InvalidName."""
    address = parse_address(text if is_address(text) else SCHEME + text)
    if isinstance(address, DatasetAddress):
        raise InvalidName(
            f"{text[:80]!r} addresses a dataset, which is read-only.", hint="Name a bucket instead."
        )
    return address
