"""Spans of time as people type them: ``90s``, ``15m``, ``24h``, ``30d``."""

from __future__ import annotations

from typing import Final

from maruhub.errors import InvalidInput

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(option: str, text: str) -> int:
    """Seconds of a span; InvalidInput naming the option."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (number.isascii() and number.isdigit()):
        raise InvalidInput(f"{option} {text!r} is not a time.", hint="Write a number and s, m, h or d: 24h.")
    return int(number) * _UNITS[unit]
