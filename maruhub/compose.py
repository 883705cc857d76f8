"""The one place that names concrete engines and puts a hub together."""

from __future__ import annotations

import contextlib
import os
import resource
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from maruhub.care.notice import NoticeBoard
from maruhub.errors import Corrupt
from maruhub.index.lmdb_index import LmdbIndex
from maruhub.store.admission import Admission
from maruhub.store.commit.clock import CounterMark
from maruhub.store.commit.unborn import Unborn
from maruhub.store.copies import descriptors_for
from maruhub.store.format.extent import ExtentArray
from maruhub.store.format.row import Row
from maruhub.store.hub_lock import HubLock, locked
from maruhub.store.pool import (
    INDEX_FOLDER,
    SEGMENT_BYTES,
    FoundPool,
    adopt_pool,
    find_pool,
    is_hub,
    make_pool,
)
from maruhub.store.recover.recovery import Recovery, require_complete
from maruhub.store.recover.report import RecoveryReport
from maruhub.store.store import PoolStore

if TYPE_CHECKING:
    from maruhub.care.check import CheckReport
    from maruhub.care.keeper import Keeper
    from maruhub.care.keeper import Progress as KeeperProgress
    from maruhub.care.scrub import Scrub
    from maruhub.care.speed import Speed
    from maruhub.care.status import Status

__all__ = ["OpenPool", "adopt", "create_pool", "is_hub", "open_pool"]


_living: weakref.WeakSet[OpenPool] = weakref.WeakSet()


class OpenPool:
    """An open pool: its store, and what only the whole of it can do.

    ``found`` says which blades answer; ``recovered`` what opening had to do, None if
    nothing.
    """

    def __init__(self, path: Path, found: FoundPool, *, read_only: bool, accept_loss: bool) -> None:
        self.path = path
        self._accept_loss = accept_loss
        self.found = found
        self.notices = NoticeBoard(path / "care.lock")
        # Re-entrant: a signal's handler may close what is being closed.
        self._closing = threading.RLock()
        with contextlib.ExitStack() as opened:
            # Should something be wrong with the rest, what is open so far is let go of.
            self._lock = opened.enter_context(contextlib.closing(HubLock(path / "hub.lock")))
            self.read_only = read_only or not self._lock.is_held
            _living.add(self)
            self._index, damaged = self._open_index()
            opened.callback(self._index.close)
            self._recovery = Recovery(
                self._index, found.blades, found.identity.pool_id, Unborn(path / INDEX_FOLDER / "unborn")
            )
            with descriptors_for("reading what was written last"):
                self.recovered = self._recover(rebuild=damaged)
            self.admission = opened.enter_context(
                contextlib.closing(Admission(path / INDEX_FOLDER / "admission"))
            )
            self.store = self._open_store()
            opened.callback(self.store.close)
            self._opened = opened.pop_all()

    def _open_store(self) -> PoolStore:
        mark = self.path / INDEX_FOLDER / "turn"
        return PoolStore(
            self._index,
            self.found.blades,
            self.found.identity,
            open_mark=None if self.read_only else lambda: CounterMark(mark),
            resolve=self.resolve,
            seals=not self.read_only,
            admission=self.admission,
        )

    def resolve(self, row: Row) -> ExtentArray | None:
        """What the bytes of a row that names segments as a whole point to; None: can't be told."""
        from maruhub.catalog.manifests.pointing import pointed_extents

        return pointed_extents(self.store, row)

    def keeper(self, progress: Callable[[KeeperProgress], None] | None = None) -> Keeper:
        """Whoever seals, repairs, widens, compacts and balances this pool."""
        from maruhub.care.keeper import Keeper

        return Keeper(self.store, self.resolve, admission=self.admission, progress=progress)

    def scrub(self, progress: Callable[[int, int], None] | None = None) -> Scrub:
        """Whoever reads every byte, in rounds, and puts right what is rotten."""
        from maruhub.care.scrub import Scrub

        return Scrub(self.store, admission=self.admission, progress=progress)

    def _open_index(self) -> tuple[LmdbIndex, bool]:
        """The index, and whether it is a new one in place of one that was damaged."""
        folder = self.path / INDEX_FOLDER
        try:
            return _sound_index(folder, read_only=self.read_only), False
        except Corrupt:
            if self.read_only:
                raise
        with locked(self.path / "recovery.lock"):
            try:
                # Another opener may have been here first.
                return _sound_index(folder), False
            except Corrupt:
                folder.rename(folder.with_name(f"index.damaged.{time.time_ns()}"))
                return LmdbIndex(folder), True

    def _recover(self, *, rebuild: bool) -> RecoveryReport | None:
        if self.read_only:
            require_complete(self._recovery)
            return None
        # Asked under the lock: a recovery under way holds logs as a living writer would.
        with locked(self.path / "recovery.lock"):
            if rebuild or self._recovery.needed():
                return self._recovery.run(accept_loss=self._accept_loss)
        return None

    def rebuild_index(self) -> RecoveryReport:
        """Makes the index anew from the segments; raises Busy if the hub is in use elsewhere."""
        with (
            self.store.resting(),
            self._lock.alone(),
            locked(self.path / "recovery.lock"),
            descriptors_for("making the index anew"),
        ):
            return self._recovery.run(rebuild=True, accept_loss=self._accept_loss)

    def status(self) -> Status:
        """What the hub holds and which failures it survives."""
        from maruhub.care.status import read_status

        keeper = self.notices.read()
        return read_status(self.path, self.found, self.store, read_only=self.read_only, keeper=keeper)

    def check(
        self, *, rebuild_index: bool = False, progress: Callable[[int], None] | None = None
    ) -> CheckReport:
        """Verifies every copy of everything, after a rebuild of the index if asked."""
        from maruhub.care.check import check
        from maruhub.care.naming import RowNames
        from maruhub.namespace.quotas import Quotas

        rebuilt = self.rebuild_index() if rebuild_index else None
        report = check(self.store, name_row=RowNames(self.store), progress=progress)
        report.rebuilt = rebuilt
        if not self.read_only:
            recounts = Quotas(self.store).recount_all()
            report.recounted = [recount.bucket for recount in recounts]
        return report

    def speed(self) -> Speed:
        """Random reads of this very machine, beside plain files."""
        from maruhub.care.speed import measure_speed

        return measure_speed(self.store, self.path)

    def after_fork(self) -> None:
        """In the child: the locks that it holds are its own, and the parent's are not kept by it."""
        self._closing = threading.RLock()
        self._lock.after_fork()
        self.notices.after_fork()

    def close(self) -> None:
        """Lets go of everything; views live on. Idempotent, and over for all who ask when it returns."""
        with self._closing:
            self._opened.close()


def create_pool(
    path: Path, *, blades: Sequence[Path] | None = None, n: int = 1, segment_bytes: int = SEGMENT_BYTES
) -> OpenPool:
    """Makes a hub on the named blade folders, or on ``n`` folders inside ``path``; opens it."""
    folders = list(blades) if blades else [path / "blades" / str(number) for number in range(n)]
    make_pool(path, folders, segment_bytes=segment_bytes)
    return open_pool(path)


def adopt(path: Path, blades: Sequence[Path]) -> OpenPool:
    """Makes a hub from blades alone; opens it, which makes the index from their segments."""
    adopt_pool(path, blades)
    return open_pool(path)


def open_pool(path: Path, *, read_only: bool = False, accept_loss: bool = False) -> OpenPool:
    """Opens a hub, bringing its index up to the log first if that may be needed.

    Raises this process's soft limit of open files to the hard one: a hub opens many.

    Records damaged in every copy raise Corrupt; with ``accept_loss`` they are left out, and
    ``recovered.problems`` says which.
    """
    _raise_open_files()
    return OpenPool(path, find_pool(path), read_only=read_only, accept_loss=accept_loss)


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _sound_index(folder: Path, *, read_only: bool = False) -> LmdbIndex:
    """The index; raises Corrupt if it doesn't answer."""
    index = LmdbIndex(folder, read_only=read_only)
    try:
        index.get_many([b"\x01C"])
    except BaseException:
        index.close()
        raise
    return index


def _after_fork_in_child() -> None:
    for pool in list(_living):
        pool.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
