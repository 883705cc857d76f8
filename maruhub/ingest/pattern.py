"""Patterns of names: ``*``, ``?``, ``[a-z]`` and ``**``, as in a shell. Pure.

A pattern with a ``/`` in it is anchored at the source; one without matches the last part
of a name (``*.jpg``), and in an exclusion any part (``.git`` leaves the folder out).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

MAGIC: Final = re.compile(r"[*?\[]")


class Filter:
    """Which names are taken: any of ``include`` (all if empty) and none of ``exclude``."""

    def __init__(self, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> None:
        self._include = _any_of([_anchored(p) for p in include])
        self._exclude = _any_of([_anchored(p) + "(?:/.*)?" for p in exclude])

    @property
    def takes_all(self) -> bool:
        """Whether no name is ever left out."""
        return self._include is None and self._exclude is None

    def takes(self, name: str) -> bool:
        """Whether an entry of this name is wanted."""
        if self._exclude is not None and self._exclude.fullmatch(name):
            return False
        return self._include is None or self._include.fullmatch(name) is not None

    def enters(self, folder: str) -> bool:
        """Whether a folder may hold wanted entries."""
        return self._exclude is None or self._exclude.fullmatch(folder) is None


def split_glob(path: str) -> tuple[str, str] | None:
    """A path with magic in it as (folder before the magic, pattern below), else None."""
    parts = path.split("/")
    for at, part in enumerate(parts):
        if MAGIC.search(part):
            folder = "/".join(parts[:at]) or ("/" if at else ".")
            return folder, "/".join(parts[at:])
    return None


def depth(pattern: str) -> int | None:
    """How many folders deep a pattern can match; None without end."""
    return None if "**" in pattern else pattern.strip("/").count("/")


def _any_of(regexes: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(f"(?:{r})" for r in regexes), re.DOTALL) if regexes else None


def _anchored(pattern: str) -> str:
    if "/" in pattern:
        return _translate(pattern.strip("/"))
    return "(?:.*/)?" + _translate(pattern)


def _translate(pattern: str) -> str:
    parts = pattern.split("/")
    regex = ""
    for at, part in enumerate(parts):
        last = at == len(parts) - 1
        if part == "**":
            regex += ".*" if last else "(?:.*/)?"
        else:
            regex += _translate_part(part) + ("" if last else "/")
    return regex


def _translate_part(part: str) -> str:
    regex, at = "", 0
    while at < len(part):
        char = part[at]
        end = part.find("]", at + 2) if char == "[" else -1
        if char == "*":
            regex += "[^/]*"
        elif char == "?":
            regex += "[^/]"
        elif end > 0:
            regex += _translate_class(part[at + 1 : end])
            at = end
        else:
            regex += re.escape(char)
        at += 1
    return regex


def _translate_class(inside: str) -> str:
    negated = inside[0] in "!^"
    chars = inside[1:] if negated else inside
    kept, at = "", 0
    while at < len(chars):
        if chars[at + 1 : at + 2] == "-" and at + 2 < len(chars):
            first, last = chars[at], chars[at + 2]
            kept += f"{re.escape(first)}-{re.escape(last)}" if first <= last else ""
            at += 3
        else:
            kept += re.escape(chars[at])
            at += 1
    if negated:
        return f"[^/{kept}]"
    return f"[{kept}]" if kept else "(?!)"
