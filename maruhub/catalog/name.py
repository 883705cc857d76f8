"""Names of datasets, tags, label sets and columns: what is allowed, and why not.

Pure: text in, text out or an error. The rule keeps every name usable as a path part, in
``name@version`` and in a row key (no ``@``, ``/``, NUL, spaces).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from maruhub import argument
from maruhub.errors import InvalidName

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_NUMBER: Final = re.compile(r"v([1-9][0-9]{0,8})")
_COLUMN_BYTES_MAX: Final = 512

LATEST: Final = "latest"


def check_name(kind: str, name: str) -> str:
    """``name`` itself if it may name a ``kind`` (dataset, tag, label set).

    Raises:
        InvalidName: it breaks the rule.
    """
    argument.text(f"a {kind}'s name", name)
    if not _NAME.fullmatch(name):
        raise InvalidName(
            f"{kind} name {name[:140]!r} is not allowed.",
            hint="Use 1 to 128 of A-Z a-z 0-9 . _ - and do not begin with . or -",
        )
    return name


def check_tag(name: str) -> str:
    """A tag's name: the rule for names, and not one that already means a version."""
    check_name("tag", name)
    if name == LATEST or _NUMBER.fullmatch(name):
        raise InvalidName(f"tag name {name!r} already means a version.", hint="Choose another word.")
    return name


def version_name(number: int) -> str:
    """``v3`` for 3."""
    return f"v{number}"


def version_number(name: str) -> int | None:
    """3 for ``v3``, None for anything else (a tag, ``latest``)."""
    match = _NUMBER.fullmatch(name)
    return int(match[1]) if match else None


def check_column(name: str) -> str:
    """A label column's name: any printable text of 1 to 512 bytes."""
    argument.text("a column's name", name)
    if not name or not name.isprintable() or len(name.encode()) > _COLUMN_BYTES_MAX:
        raise InvalidName(
            f"column name {name[:140]!r} is not allowed.",
            hint=f"Give each column a printable name of 1 to {_COLUMN_BYTES_MAX} bytes.",
        )
    return name


def free_column(wanted: str, taken: Iterable[str]) -> str:
    """``wanted``, or a variant of it that is printable and differs from all ``taken`` (SQL ignores case)."""
    used = {name.casefold() for name in taken} | {""}
    wanted = "".join(letter if letter.isprintable() else "_" for letter in wanted)
    candidate, n = wanted, 0
    while candidate.casefold() in used:
        n += 1
        candidate = f"user_{wanted}" if n == 1 else f"user_{wanted}_{n}"
    return candidate
