"""The index in LMDB: embedded, for any number of processes of one machine."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NoReturn, TypeVar

import lmdb

from maruhub.errors import Busy, ReadOnly, Unavailable
from maruhub.index.lmdb_environment import ENVIRONMENTS, SharedEnvironment
from maruhub.index.lmdb_error import translated
from maruhub.index.lmdb_file import identity, keep_room, place
from maruhub.index.lmdb_tree import LmdbTree

T = TypeVar("T")

_UNLOCKED_TRIES = 100


class LmdbTxn:
    """The write transaction; see ``IndexTxn``."""

    def __init__(self, tree: LmdbTree, path: str) -> None:
        self._tree = tree
        self._path = path
        self._pid = os.getpid()

    def _do(self, act: Callable[[LmdbTree], T]) -> T:
        if self._pid != os.getpid():
            raise Unavailable(f"A write to the index at {self._path} was begun before a fork.")
        try:
            return act(self._tree)
        except lmdb.Error as error:
            raise translated(error, self._path) from error

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See ``IndexTxn.get_many``."""
        return self._do(lambda tree: tree.get_many(keys))

    def scan(
        self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See ``IndexTxn.scan``."""
        return self._do(lambda tree: tree.scan(start, stop, limit, reverse=reverse))

    def put_many(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """See ``IndexTxn.put_many``."""
        self._do(lambda tree: tree.put_many(items))

    def remove_many(self, keys: Iterable[bytes]) -> None:
        """See ``IndexTxn.remove_many``."""
        self._do(lambda tree: tree.remove_many(keys))


class LmdbIndex:
    """``Index`` over LMDB. All that open one folder in a process share one environment.

    A commit is durable but for the last ones (``metasync=False``). A folder that this process may
    not write is opened for reading; ``write`` then raises ``ReadOnly``.

    Args:
        path: The folder for the files; made if missing, unless ``read_only``.
        read_only: Never make or write anything; raise ``Unavailable`` if there is no index.
    """

    _shared: SharedEnvironment | None = None

    def __init__(self, path: str | os.PathLike[str], *, read_only: bool = False) -> None:
        self._path = os.path.realpath(path)
        self._read_only = read_only
        self._lock = threading.Lock()
        self._lock_pid = os.getpid()
        self._closed = False
        self._shared = ENVIRONMENTS.acquire(self._path, create=not read_only)

    def __reduce__(self) -> NoReturn:
        raise TypeError("An LmdbIndex cannot be pickled: hand its path over and open it there.")

    def _environment(self) -> SharedEnvironment:
        """The environment, opened again if this process is not the one that opened it."""
        shared = self._shared
        if shared is not None and shared.pid == os.getpid():
            return shared
        return self._open_again()

    def _open_again(self) -> SharedEnvironment:
        pid = os.getpid()
        if self._lock_pid != pid:  # the lock's holder may be a thread that was not forked
            self._lock, self._lock_pid = threading.Lock(), pid
        with self._lock:
            if self._closed:
                raise Unavailable(f"The index at {self._path} is closed.", hint="Open it again.")
            if self._shared is None or self._shared.pid != pid:
                self._shared = ENVIRONMENTS.acquire(self._path, create=False)
            return self._shared

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See ``Index.get_many``."""
        return self._read(lambda tree: tree.get_many(keys))

    def scan(
        self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See ``Index.scan``."""
        return self._read(lambda tree: tree.scan(start, stop, limit, reverse=reverse))

    def _read(self, act: Callable[[LmdbTree], T]) -> T:
        shared = self._environment()
        try:
            if not shared.locked:
                return self._read_unlocked(shared, act)
            txn = _begin_read(shared)
            try:
                return act(LmdbTree(txn))
            finally:
                txn.abort()
        except lmdb.Error as error:
            raise self._explained(error) from error

    def _read_unlocked(self, shared: SharedEnvironment, act: Callable[[LmdbTree], T]) -> T:
        """Read where writers cannot see this reader, and again if they may have been in its way.

        A writer takes again what the commit before the last one gave back: pages of the state that
        is read here are safe until two commits after it.
        """
        for _ in range(_UNLOCKED_TRIES):
            txn = _begin_read(shared)
            failure: lmdb.Error | None = None
            try:
                result = act(LmdbTree(txn))
            except lmdb.Error as error:
                failure = error
            begun = txn.id()
            txn.abort()
            if shared.env.info()["last_txnid"] < begun + 2:
                if failure is not None:
                    raise failure
                return result
        raise Busy(f"The index at {self._path} changes faster than it can be read without locks.")

    @contextlib.contextmanager
    def write(self) -> Iterator[LmdbTxn]:
        """See ``Index.write``."""
        with self._write() as txn:
            yield LmdbTxn(LmdbTree(txn), self._path)

    @contextlib.contextmanager
    def _write(self) -> Iterator[lmdb.Transaction[bytes]]:
        shared = self._environment()
        txn = self._begin_write(shared)
        try:
            yield txn
        except BaseException:
            if shared.pid == os.getpid():
                txn.abort()
            raise
        if shared.pid != os.getpid():
            raise Unavailable(f"A write to the index at {self._path} was begun before a fork.")
        keep_room(shared.env, self._path)
        try:
            txn.commit()
        except lmdb.Error as error:
            raise self._explained(error) from error

    def _begin_write(self, shared: SharedEnvironment) -> lmdb.Transaction[bytes]:
        if self._read_only or not shared.writable:
            raise ReadOnly(f"The index at {self._path} is open for reading only.")
        if self._place() != shared.place:
            raise Unavailable(
                f"The index at {self._path} was replaced while it was open.", hint="Open the hub again."
            )
        try:
            return shared.env.begin(write=True)
        except lmdb.Error as error:
            raise self._explained(error) from error

    def clear(self) -> None:
        """See ``Index.clear``."""
        with self._write() as txn:
            try:
                txn.drop(self._environment().env.open_db(), delete=False)
            except lmdb.Error as error:
                raise self._explained(error) from error

    def _explained(self, error: lmdb.Error) -> Exception:
        if self._closed:
            return Unavailable(f"The index at {self._path} is closed.", hint="Open it again.")
        return translated(error, self._path)

    def identity(self) -> str:
        """See ``Index.identity``. Asks the file system, not the open file."""
        try:
            return identity(self._path)
        except OSError as error:
            raise Unavailable(
                f"The index at {self._path} is gone: {error}.", hint="Open the hub again."
            ) from error

    def _place(self) -> tuple[int, int]:
        try:
            return place(self._path)
        except OSError:
            return 0, 0

    def close(self) -> None:
        """See ``Index.close``."""
        with self._lock if self._lock_pid == os.getpid() else contextlib.nullcontext():
            shared, self._shared, self._closed = self._shared, None, True
        if shared is not None:
            ENVIRONMENTS.release(self._path, shared)

    def __del__(self) -> None:
        # At the interpreter's end threads that are stopped in mid-read would be waited for, for ever.
        if self._shared is not None and not sys.is_finalizing():
            ENVIRONMENTS.abandon(self._path, self._shared)


def _begin_read(shared: SharedEnvironment) -> lmdb.Transaction[bytes]:
    """Begin reading; if all slots are taken, first free those of processes that died."""
    try:
        return shared.env.begin()
    except lmdb.ReadersFullError:
        shared.env.reader_check()
        return shared.env.begin()
