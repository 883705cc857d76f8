"""Patterns with ``*`` (any text) and ``?`` (any one character), matched in bounded time.

One pass with a single place to go back to: at most pattern × text steps, no recursion, no regular
expression whose time a stranger could choose.
"""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text fits the pattern."""
    if "?" not in pattern:
        return _matches_stars(pattern, text)
    at, place, star, resume = 0, 0, -1, 0
    while place < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume = at, place
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[place]):
            at += 1
            place += 1
        elif star >= 0:
            at, resume = star + 1, resume + 1
            place = resume
        else:
            return False
    return not pattern[at:].strip("*")


def _matches_stars(pattern: str, text: str) -> bool:
    """The same without ``?``: each piece between stars at its first occurrence, the last at the end."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    last = rest.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    place, end = len(first), len(text) - len(last)
    for piece in rest:
        found = text.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True
