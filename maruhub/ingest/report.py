"""The report: what an ingest did and what it refused. Values only; JSON both ways."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from maruhub.errors import Corrupt
from maruhub.ingest.entry import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One ingest.

    Args:
        source: As the user named it.
        bucket: Where it went.
        prefix: Below which prefix.
        complete: Whether the source was taken to its end; else ``stopped`` says why not.
        stored: Objects put, new or with other bytes than before.
        unchanged: Entries that the hub had already.
        metadata_updated: Objects whose bytes it had and whose labels or time it changed.
        refused_count: Entries not stored, by reason.
        bytes_read: Read from the source.
        bytes_stored: Bytes of the objects put.
        seconds: Wall time.
        started_us: Wall time of the start, microseconds since 1970.
        refused: Each with its reason; cut at ``refusals_max``, never silently: the counts
            are whole.
        stopped: Why it ended early, empty if it did not.
    """

    source: str
    bucket: str
    prefix: str
    complete: bool
    stored: int
    unchanged: int
    metadata_updated: int
    refused_count: dict[str, int]
    bytes_read: int
    bytes_stored: int
    seconds: float
    started_us: int
    refused: tuple[Refusal, ...] = field(repr=False)
    stopped: str = ""

    @property
    def refused_total(self) -> int:
        """Entries not stored."""
        return sum(self.refused_count.values())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as in JSON."""
        return asdict(self)

    def to_json(self) -> str:
        """Compact JSON; :meth:`from_json` is its inverse."""
        return json.dumps(self.as_dict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """The report that :meth:`to_json` wrote; fields unknown here are passed over."""
        try:
            values = json.loads(text)
            values["refused"] = tuple(Refusal(**each) for each in values["refused"])
            return cls(**{name: values[name] for name in cls.__dataclass_fields__})
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"a stored report of an ingest can't be read: {error}.") from error
