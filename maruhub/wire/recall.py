"""Answers kept for texts that come again: decoding a link's query is a quarter of what it costs.

All of a query but the key and the signature stands in thousands of links alike.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_KEPT: Final = 1024
_LONGEST: Final = 128
"""Characters; whoever sends longer ones must not fill the memory with them."""


def recalled(function: Callable[[str], T]) -> Callable[[str], T]:
    """The same function, which keeps its last answers to short texts.

    Args:
        function: Of nothing but its argument; what it returns is never changed. What it raises is
            raised anew each time.

    Returns:
        A function that is safe from many threads.
    """
    kept = functools.lru_cache(_KEPT)(function)

    @functools.wraps(function)
    def call(text: str) -> T:
        return kept(text) if len(text) <= _LONGEST else function(text)

    return call
