"""What may be freed, and never too early: rows whose time is over are found and removed.

May use: ``namespace``, ``store`` (its protocol and formats). Who else hides things (the
catalog) hands in a :class:`~maruhub.care.reclaim.part.Part`. Never happens here: a byte
freed or a file touched (that is the acts of the store, which look for themselves at what
lives), a wall clock asked for a rule, a decision outside the turn that carries it out.

``docs/internals/reclaim.md`` says why nothing live can be freed.
"""

from __future__ import annotations

from maruhub.care.reclaim.part import Finding, Hold, Part
from maruhub.care.reclaim.reclaim import Expired, Reclaim

__all__ = ["Expired", "Finding", "Hold", "Part", "Reclaim"]
