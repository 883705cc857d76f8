"""The report: what an ingest did and what it refused. Values only; JSON both ways."""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass, field
from typing import Any, Final

from maruhub import argument
from maruhub.errors import Corrupt, InvalidInput
from maruhub.ingest.entry import Refusal

_NUMBERS: Final = ("stored", "unchanged", "metadata_updated", "bytes_read", "bytes_stored", "started_us")
_NUMBER_MAX: Final = (1 << 63) - 1


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
        """The report that :meth:`to_json` wrote; fields unknown here are passed over.

        Raises:
            Corrupt: It is none; a client may have sent it.
        """
        try:
            values = json.loads(text)
            values["refused"] = tuple(Refusal(**each) for each in values["refused"])
            report = cls(**{name: values[name] for name in cls.__dataclass_fields__})
            _check(report)
        except (ValueError, KeyError, TypeError, RecursionError, InvalidInput) as error:
            raise Corrupt(f"a stored report of an ingest can't be read: {error}.") from error
        return report


def _check(report: Report) -> None:
    """Raises InvalidInput for a field of another kind than it says."""
    for name in ("source", "bucket", "prefix", "stopped"):
        argument.text(name, getattr(report, name))
    argument.flag("complete", report.complete)
    for name in _NUMBERS:
        argument.whole(name, getattr(report, name), low=0, high=_NUMBER_MAX)
    seconds: object = report.seconds
    if not isinstance(seconds, int | float) or not 0 <= seconds < _NUMBER_MAX:
        raise argument.wrong("seconds", seconds, "a number of seconds")
    for reason, count in argument.mapping("refused_count", report.refused_count).items():
        argument.whole(f"the count of {reason!r:.40}", count, low=0, high=_NUMBER_MAX)
    for refusal in report.refused:
        argument.texts("an entry of refused", astuple(refusal))
