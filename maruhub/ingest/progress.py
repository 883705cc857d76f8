"""Progress: how far an ingest is, told now and then."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of an ingest.

    ``items_total`` and ``bytes_total`` are what the source has shown so far; they are
    the whole once ``total_known``. Entries passed over count as done, their bytes too.
    """

    items_done: int
    bytes_done: int
    items_total: int
    bytes_total: int
    total_known: bool
    stored: int
    unchanged: int
    refused: int
    seconds: float
