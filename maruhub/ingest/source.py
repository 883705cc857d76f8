"""A source: what can be ingested. One kind a file; all look like this from outside.

Sources know nothing of the hub. A kind that follows something that grows, or whose
samples are rows of a table, is another class with these members; its entries carry
their columns as ``metadata``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from maruhub.ingest.entry import Content, Entry, Refusal, Stream


class Source(Protocol):
    """Lists entries and gives their bytes.

    ``entries`` is consumed by one thread at a time; ``read_many`` and ``open`` are
    called from many, with entries that this source listed, each at most a few times.
    """

    name: str
    """What the user called it; the report is filed under it."""

    members_of_samples: bool
    """Whether neighbours with one stem are parts of one sample, as WebDataset has it."""

    listing_is_light: bool
    """Whether listing ahead costs little: no bytes are read or held by it."""

    def entries(self) -> Iterator[Entry | Refusal]:
        """All entries; one that can't be stored, or a folder that can't be listed, as a refusal."""

    def read_many(self, entries: Sequence[Entry]) -> list[Content | Refusal]:
        """The bytes of entries, whole, in order; never more than their listed sizes."""

    def open(self, entry: Entry) -> Stream:
        """The bytes of one entry in pieces. Raises EntryRefused."""

    def close(self) -> None:
        """Frees what it holds; nothing is read after."""
