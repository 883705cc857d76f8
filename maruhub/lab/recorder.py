"""The recorder: says what a run reads, before it does.

A claim is written ahead of the reading, durable, for more than the next batch; what was
really handed out is kept in memory and put in the claim's place when the run ends. So a
run that is killed leaves a claim of more than it has read, never of less, and recording
costs one commit in a while instead of one a batch.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from typing import Final

from maruhub.errors import InvalidInput
from maruhub.lab.claim import Claim
from maruhub.lab.ledger import Ledger
from maruhub.lab.reads import Reads

CLAIM_S: Final = 0.25
"""A claim that lasts shorter is doubled: at 1–2 ms a commit, recording stays below 1 %."""
AHEAD_PARTS: Final = 16
AHEAD_MIN: Final = 4096
"""The first claim is a sixteenth of an epoch, but at least this many samples."""
AHEAD_EPOCHS_MAX: Final = 64


class RunRecorder:
    """Records what one process reads of one view; loaders call :meth:`reads`.

    Safe from many threads. A forked child records under a name of its own.

    Args:
        ledger: Where the claims are kept.
        run: The run's id.
        digest: The view's.
        size: The view's length.
        purpose: Why it is read: "train", "validation", …; all of it counts as seen.
    """

    def __init__(self, ledger: Ledger, run: str, *, digest: str, size: int, purpose: str = "train") -> None:
        self.run = run
        self.digest = digest
        self._ledger = ledger
        self._size = size
        self._purpose = purpose
        self._lock = threading.Lock()
        self._claimed = self._handed_out = Reads(size)
        self._begin()

    def reads(self, view_digest: str, epoch: int, seed: int | None, start: int, stop: int) -> None:
        """Positions ``start … stop`` of an epoch's order are about to be handed out.

        When it returns, a durable claim covers them. Raises what the store raises (then
        they must not be handed out), InvalidInput for another view than this recorder's.
        """
        if view_digest != self.digest:
            raise InvalidInput(
                f"this recorder is for view {self.digest}, the loader reads {view_digest}.",
                hint="Make one with run.recorder(view) for the view that is loaded.",
            )
        if os.getpid() != self._pid:
            self._lock = threading.Lock()  # a thread of the parent may hold the old one
            self._begin()
        with self._lock:
            if not self._claimed.covers(seed, epoch, start, stop):
                self._claim(epoch, seed, start, stop)
            self._handed_out.add(seed, epoch, start, stop)

    def close(self) -> None:
        """Puts what was handed out in the claim's place; reading on claims again."""
        if os.getpid() != self._pid:
            return  # what the parent claimed is the parent's to trim
        with self._lock:
            if self._claimed:
                self._write(self._handed_out, exact=True)
                self._claimed = self._handed_out.copy()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._name = secrets.token_hex(8)
        self._number = 0
        self._handed_out = Reads(self._size)
        self._claimed = Reads(self._size)
        self._ahead = max(AHEAD_MIN, self._size // AHEAD_PARTS)
        self._claimed_at: float | None = None

    def _claim(self, epoch: int, seed: int | None, start: int, stop: int) -> None:
        now = time.monotonic()
        if self._claimed_at is not None and now - self._claimed_at < CLAIM_S:
            self._ahead = max(self._ahead, min(self._ahead * 2, self._size * AHEAD_EPOCHS_MAX))
        claimed = self._handed_out.copy()
        claimed.add_ahead(seed, epoch, start, max(stop - start, self._ahead))
        self._write(claimed, exact=False)
        self._claimed, self._claimed_at = claimed, now

    def _write(self, reads: Reads, *, exact: bool) -> None:
        self._number += 1
        claim = Claim(self.digest, self._purpose, exact, reads, self._number)
        self._ledger.claim(self.run, self._name, claim)
