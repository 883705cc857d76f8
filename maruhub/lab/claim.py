"""A claim: what one recorder of a run has handed out, or is about to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from maruhub.lab.reads import Reads, Span


@dataclass(frozen=True, slots=True)
class Claim:
    """What is claimed of one view.

    Attributes:
        view: The view's digest.
        purpose: Why it is read: "train", "validation", …
        exact: Whether ``reads`` is what was handed out, not a little more.
        reads: Positions of epochs.
        number: Counted up by the recorder, from 1: of two claims the later one holds, in whatever
            order they arrive.
    """

    view: str
    purpose: str
    exact: bool
    reads: Reads
    number: int = 0

    def payload(self) -> dict[str, Any]:
        """What its row says."""
        return {
            "view": self.view,
            "size": self.reads.size,
            "purpose": self.purpose,
            "exact": self.exact,
            "number": self.number,
            "reads": [list(span) for span in self.reads.spans()],
        }

    @classmethod
    def of_payload(cls, told: Mapping[str, Any]) -> Claim:
        """From what :meth:`payload` gives."""
        reads = Reads(told["size"], (Span(*span) for span in told["reads"]))
        return cls(told["view"], told["purpose"], told["exact"], reads, told.get("number", 0))

    def joined(self, earlier: Claim) -> Claim:
        """This claim, and all that an earlier one of the same view claims: perhaps more than was read."""
        reads = earlier.reads.copy()
        reads.update(self.reads)
        return replace(self, exact=False, reads=reads)

    def to_json(self) -> dict[str, Any]:
        """For faces."""
        return {
            "view": self.view,
            "purpose": self.purpose,
            "exact": self.exact,
            "samples": self.reads.samples(),
            "spans": [span._asdict() for span in self.reads.spans()],
        }
