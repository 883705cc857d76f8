"""A version's root: which fragments make up which column group, as a small JSON file.

Pure: values to bytes and back. The root names fragments by content, never by place, so
fragments are shared by as many versions as hold the same rows.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from maruhub.errors import Corrupt, UnsupportedFormat

_FORMAT: Final = 1

BASE: Final = "base"
ATTRIBUTES: Final = "attributes"
LABELS: Final = "labels"
REMOVALS: Final = "removals"


@dataclass(frozen=True, slots=True)
class Piece:
    """The next ``rows`` rows of a group: a fragment (32 hex digits), or nulls (None)."""

    fragment: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, Arrow's name of its type, and the metadata key it came from."""

    name: str
    type: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A column group: pieces in row order. Rows past the last piece are null.

    ``name``, ``revision`` and ``by`` (id, key, digest) are those of a label set.
    """

    kind: str
    columns: tuple[Column, ...]
    pieces: tuple[Piece, ...]
    name: str = ""
    revision: int = 0
    by: str = ""

    @property
    def covered(self) -> int:
        """Rows that the pieces reach."""
        return sum(piece.rows for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Root:
    """A version: ``positions`` rows, of which ``rows`` are live.

    ``removals`` is the fragment (None: nothing removed) with a bit for each position, set
    where the row is removed; bit i of byte j is position 8 j + i.
    """

    dataset: str
    version: int
    positions: int
    rows: int
    removals: str | None
    groups: tuple[Group, ...]

    @property
    def base(self) -> Group:
        """Ids, digests and addresses."""
        return next(group for group in self.groups if group.kind == BASE)

    @property
    def attributes(self) -> Group | None:
        """The objects' own metadata, if any has some."""
        return next((group for group in self.groups if group.kind == ATTRIBUTES), None)

    @property
    def label_groups(self) -> tuple[Group, ...]:
        """A group a label set."""
        return tuple(group for group in self.groups if group.kind == LABELS)

    def fragments(self) -> list[str]:
        """Every fragment it names, each once, in order."""
        named = [piece.fragment for group in self.groups for piece in group.pieces if piece.fragment]
        return list(dict.fromkeys(named + ([self.removals] if self.removals else [])))

    def encode(self) -> bytes:
        """JSON, UTF-8."""
        data = {"format": _FORMAT} | asdict(self)
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes | memoryview) -> Root:
        """The inverse of :meth:`encode`; raises Corrupt or UnsupportedFormat."""
        try:
            raw: dict[str, Any] = json.loads(bytes(data))
            if raw.pop("format") != _FORMAT:
                raise UnsupportedFormat(
                    "the version was written by a newer release.", hint="Upgrade maruhub."
                )
            groups = tuple(_group(group) for group in raw.pop("groups"))
            return cls(groups=groups, **raw)
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"a version's root can't be read: {error}", hint="Run `maru check`.") from error


def _group(raw: dict[str, Any]) -> Group:
    columns = tuple(Column(**column) for column in raw.pop("columns"))
    pieces = tuple(Piece(**piece) for piece in raw.pop("pieces"))
    return Group(columns=columns, pieces=pieces, **raw)
