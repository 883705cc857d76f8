"""What a segment holds."""

from __future__ import annotations

import enum


class SegmentClass(enum.IntEnum):
    """What a segment holds; a writer has at most one open segment a class."""

    RAW = 1
    DERIVED = 2
    META = 3
