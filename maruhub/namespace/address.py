"""Addresses: ``maru://bucket/key``, and ``maru://dataset/NAME/VERSION/…``.

Pure. What follows the bucket is the key as it is: nothing is percent-decoded, no ``..``
is resolved, so every key has an address and every address one meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from maruhub.errors import InvalidInput, InvalidName, Refused
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

    @property
    def below(self) -> str:
        """The prefix of what lies in the folder that the key names; of the whole bucket empty."""
        return _below(self.key)


@dataclass(frozen=True, slots=True)
class DatasetAddress:
    """A version of a dataset, and a path in it; empty parts were not given.

    The path is a sample's id (``bucket/key``), or a prefix of ids. ``version`` is ``v3``,
    ``latest`` or a tag.
    """

    name: str = ""
    version: str = ""
    path: str = ""

    @property
    def below(self) -> str:
        """The prefix of the ids in the folder that the path names; of the whole version empty."""
        return _below(self.path)

    def __str__(self) -> str:
        parts = [_DATASET, self.name, self.version, self.path]
        while len(parts) > 1 and not parts[-1]:
            parts.pop()
        return SCHEME + "/".join(parts)


Address = ObjectAddress | DatasetAddress


def _below(key: str) -> str:
    return key if not key or key.endswith("/") else key + "/"


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
        encode_text(rest, "path")
        return DatasetAddress(name, version, path)
    check_bucket_name(bucket)
    size_bytes = len(encode_text(rest, "key"))
    if size_bytes > KEY_BYTES_MAX:
        raise InvalidName(
            f"the key in {text[:80]!r} has {size_bytes} bytes.", hint=f"At most {KEY_BYTES_MAX}."
        )
    return ObjectAddress(bucket, rest)


def parse_short(text: str) -> Address:
    """As :func:`parse_address`, but ``maru://`` may be left out."""
    return parse_address(text if is_address(text) else SCHEME + text)


def parse_bucket_path(text: str) -> ObjectAddress:
    """``BUCKET[/PREFIX]``, with or without ``maru://`` in front.

    Raises InvalidName, or Refused for what lies in a dataset: nothing there can be changed.
    """
    address = parse_short(text)
    if isinstance(address, DatasetAddress):
        raise Refused(
            f"{text[:80]!r} lies in a dataset, whose versions can only be read.",
            hint="Write to a bucket; `maru commit` makes a new version of what is there.",
        )
    return address
