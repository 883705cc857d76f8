"""How long something is retained, as a hub elsewhere is told."""

from __future__ import annotations

import datetime

from maruhub.namespace.retention import Term


def until_text(until: datetime.date | None, for_s: float | None) -> str | None:
    """A date in ISO 8601 with its zone; raises InvalidInput unless exactly one is given, and right."""
    term = Term.of(until, for_s)
    if term.until_wall_us is None:
        return None
    return datetime.datetime.fromtimestamp(term.until_wall_us / 1e6, datetime.UTC).isoformat()
