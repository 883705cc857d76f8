"""The catalog's rows: D datasets, M versions, F fragments, T tags, L label sets, W views.

Pure: values to bytes and back. A payload is one byte (the payload's version, 1) and a JSON
object in UTF-8; ``docs/format-manifests.md`` has the tables. Who wrote a row and when
stands in the row's envelope, which the store keeps.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, TypeVar

from maruhub.errors import UnsupportedFormat
from maruhub.store.format.row import Row

_VERSION: Final = b"\x01"
_P = TypeVar("_P", bound="Payload")


@dataclass(frozen=True, slots=True)
class Payload:
    """What every payload shares: its coding."""

    def encode(self) -> bytes:
        """One version byte and compact JSON with sorted keys."""
        data = asdict(self)
        data |= data.pop("more", {})
        return _VERSION + json.dumps(data, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()

    @classmethod
    def decode(cls: type[_P], row: Row) -> _P:
        """From a row; fields that a later release added go to ``more``, if the row is ever rewritten."""
        payload = row.payload
        if payload[:1] != _VERSION:
            raise UnsupportedFormat(
                f"catalog row {row.key!r} was written by another release.", hint="Upgrade maruhub."
            )
        known = {f.name for f in fields(cls)}
        data: dict[str, Any] = json.loads(payload[1:])
        found = {name: value for name, value in data.items() if name in known}
        if "more" in known:
            found["more"] = {name: value for name, value in data.items() if name not in known}
        return cls(**found)


@dataclass(frozen=True, slots=True)
class DatasetRow(Payload):
    """A dataset: the last number given out, the highest version not dropped (0: none), its split."""

    head: int
    latest: int
    split: dict[str, Any] | None = None
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionRow(Payload):
    """A version. Its extents are the root's. Times are microseconds.

    ``by`` and ``at_us`` are empty as long as the envelope tells them: a drop rewrites the
    row, and keeps here who made the version and when. ``dropped_us`` is wall time,
    ``eradicate_us`` pool time; 0 is not dropped.
    """

    digest: str
    rows: int
    positions: int
    message: str = ""
    sources: list[str] = field(default_factory=list)
    by: str = ""
    at_us: int = 0
    dropped_us: int = 0
    eradicate_us: int = 0
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FragmentRow(Payload):
    """A fragment. Its extents are its file; its segments are those its blobs point into."""

    kind: str
    rows: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class TagRow(Payload):
    """A tag: another name for one version."""

    version: int


@dataclass(frozen=True, slots=True)
class LabelRow(Payload):
    """One revision of a label set: which version brought it, from what, and how it joined."""

    version: int
    by: str
    source: str
    columns: dict[str, str]
    matched: int
    unmatched: int
    unlabelled: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class ViewRow(Payload):
    """A saved view. Its extents are its positions, uint64 little-endian (none: all rows)."""

    dataset: str
    version: int
    version_digest: str
    rows: int
    whole: bool
    split: str | None = None


def dataset_key(dataset: str) -> bytes:
    """``D`` name."""
    return b"D" + dataset.encode()


def version_key(dataset: str, number: int) -> bytes:
    """``M`` name NUL number (u32, big-endian: in order)."""
    return versions_prefix(dataset) + struct.pack(">I", number)


def versions_prefix(dataset: str) -> bytes:
    """What all versions of a dataset begin with."""
    return b"M" + dataset.encode() + b"\0"


def version_of_key(key: bytes) -> int:
    """The number in a version's key."""
    number: int = struct.unpack(">I", key[-4:])[0]
    return number


def fragment_key(fragment: str) -> bytes:
    """``F`` and the fragment's 16 bytes."""
    return b"F" + bytes.fromhex(fragment)


def tags_prefix(dataset: str) -> bytes:
    """What all tags of a dataset begin with."""
    return b"T" + dataset.encode() + b"\0"


def tag_key(dataset: str, tag: str) -> bytes:
    """``T`` dataset NUL tag."""
    return tags_prefix(dataset) + tag.encode()


def label_sets_prefix(dataset: str) -> bytes:
    """What all label revisions of a dataset begin with."""
    return b"L" + dataset.encode() + b"\0"


def label_key(dataset: str, label_set: str, revision: int) -> bytes:
    """``L`` dataset NUL set NUL revision (u32, big-endian)."""
    return label_sets_prefix(dataset) + label_set.encode() + b"\0" + struct.pack(">I", revision)


def view_key(digest: str) -> bytes:
    """``W`` and the view's 32 bytes."""
    return b"W" + bytes.fromhex(digest)
