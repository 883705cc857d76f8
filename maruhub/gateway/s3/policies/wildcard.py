"""Patterns with ``*`` (any text) and ``?`` (any one character), matched in bounded time.

Each piece between stars is looked for once, behind the one before: no recursion, no regular
expression whose time a stranger could choose. Policies are strangers' too, and are asked before an
answer where no request may wait.
"""

from __future__ import annotations

from functools import lru_cache


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text fits the pattern."""
    first, *rest = pattern.split("*")
    if not rest:
        return len(text) == len(first) and _fits(first, text)
    last = rest.pop()
    place, end = len(first), len(text) - len(last)
    if end < place or not _fits(first, text[:place]) or not _fits(last, text[end:]):
        return False
    for piece in rest:
        found = _find(piece, text, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True


def meets(pattern: str, beginning: str) -> bool:
    """Whether some text that begins so fits the pattern."""
    return any(matches(pattern[:end], beginning) for end in range(len(pattern) + 1))


def _fits(piece: str, text: str) -> bool:
    """Whether a text of the same length is the piece, but for its ``?``."""
    if "?" not in piece:
        return piece == text
    return all(one in ("?", other) for one, other in zip(piece, text, strict=True))


def _find(piece: str, text: str, place: int, end: int) -> int:
    """Where a piece occurs first within ``text[place:end]``; -1: nowhere.

    With ``?`` it is looked for at all places at once: bit i of ``found`` says that it may begin at i, and
    a character of the piece costs one step, however long the text is.
    """
    if "?" not in piece:
        return text.find(piece, place, end)
    places, last = _places(text), end - len(piece)
    found = (1 << last + 1) - (1 << place) if last >= place else 0
    for at, character in enumerate(piece):
        if character != "?":
            found &= places.get(character, 0) >> at
        if not found:
            return -1
    return (found & -found).bit_length() - 1


@lru_cache(maxsize=4)
def _places(text: str) -> dict[str, int]:
    """For each character of a text the places where it stands, as bits; many pieces ask for one text."""
    marks = {character: bytearray(len(text) // 8 + 1) for character in set(text)}
    for at, character in enumerate(text):
        marks[character][at >> 3] |= 1 << (at & 7)
    return {character: int.from_bytes(mark, "little") for character, mark in marks.items()}
