"""A claim as a client sent it, checked before it is unfolded. Pure."""

from __future__ import annotations

from typing import Final

from maruhub import argument
from maruhub.errors import InvalidInput, Refused
from maruhub.gateway.batch.fields import I63_MAX, U64_MAX, Fields
from maruhub.lab.claim import Claim
from maruhub.lab.reads import Reads, Span

EPOCHS_MAX: Final = 100_000
"""Of one claim, over all its spans: an interval is kept for each."""


def parse_claim(value: object) -> Claim:
    """A claim; InvalidInput, and Refused for one of too many epochs."""
    told = Fields(value, "the claim")
    view, purpose, exact = told.text("view"), told.text("purpose"), told.flag("exact")
    size, number, given = told.whole("size"), told.whole("number", low=1), told.items("reads")
    told.done()
    spans, epochs = [], 0
    for each in given:
        span = _span(each, size)
        epochs += span.last_epoch - span.first_epoch + 1
        if epochs > EPOCHS_MAX:
            raise Refused(
                f"a claim is of at most {EPOCHS_MAX:,} epochs.", hint="Go on with another recorder."
            )
        spans.append(span)
    return Claim(view, purpose, exact, Reads(size, spans), number)


def _span(value: object, size: int) -> Span:
    if not isinstance(value, list) or len(value) != 5:
        raise InvalidInput("each of reads is [seed, first epoch, last epoch, start, stop].")
    seed, first, last, start, stop = value
    first = argument.whole("a first epoch", first, low=0, high=I63_MAX)
    start = argument.whole("a start", start, low=0, high=size)
    return Span(
        None if seed is None else argument.whole("a seed", seed, low=0, high=U64_MAX),
        first,
        argument.whole("a last epoch", last, low=first, high=I63_MAX),
        start,
        argument.whole("a stop", stop, low=start, high=size),
    )
