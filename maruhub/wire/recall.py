"""Answers kept for texts that come again: the query of a link, the credential in a header.

All of a link's query but its signature stands in thousands of links alike.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_KEPT: Final = 1024
_LONGEST: Final = 128


def recalled(
    function: Callable[[str], T], *, longest: int = _LONGEST, most: int = _KEPT
) -> Callable[[str], T]:
    """The same function, which keeps its last answers to short texts.

    Args:
        function: Of nothing but its argument; what it returns is never changed. What it raises is
            raised anew each time.
        longest: Characters; whoever sends longer texts must not fill the memory with them.
        most: Answers that are kept.

    Returns:
        A function that is safe from many threads.
    """
    kept = functools.lru_cache(most)(function)

    @functools.wraps(function)
    def call(text: str) -> T:
        return kept(text) if len(text) <= longest else function(text)

    return call
