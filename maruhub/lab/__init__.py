"""The lab: runs, what they have read, and scores that say whether they are held-out.

What it is: rows ``R`` behind a ``ledger``, which may be elsewhere. A run's recorder claims what a loader is about to
hand out, before it does; ``evaluate`` compares those claims, and those of all ancestors,
with the view that is evaluated.

What it may use: the catalog (views by digest), the store's rows, ``errors``, numpy.

What never happens in it: no blob is read; no score is called held-out because nothing is
known against it; no loader is imported (the order they read in is handed in).
"""

from __future__ import annotations

from maruhub.lab.claim import Claim
from maruhub.lab.info import RunInfo
from maruhub.lab.lab import Lab
from maruhub.lab.recorder import RunRecorder
from maruhub.lab.run import Run
from maruhub.lab.runs import Runs
from maruhub.lab.score import Score

__all__ = ["Claim", "Lab", "Run", "RunInfo", "RunRecorder", "Runs", "Score"]
