"""The bytes as they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Raw:
    """``bytes``: a copy that holds no mapped file, for code that takes no memoryview."""

    def __call__(self, blob: memoryview) -> bytes:
        """The copy."""
        return bytes(blob)
