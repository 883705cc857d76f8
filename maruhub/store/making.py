"""The making of a pool: what it has touched so far, so that it can go on after a kill or be undone.

``HUB/making`` is there only while a pool is made. It names the pool, and those of earlier
tries that were killed: a blade of theirs holds nothing and may be taken again.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from maruhub.errors import InvalidInput
from maruhub.store.local_blade import sync_folder, write_durably

MAKING_FILE: Final = "making"
_POOLS: Final = re.compile(rb"(?:[0-9a-f]{32}\n)+")


def pools_of_earlier_tries(hub: Path) -> frozenset[bytes]:
    """The pools whose making in this folder was killed; raises InvalidInput if the file isn't ours."""
    try:
        text = (hub / MAKING_FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except IsADirectoryError:
        text = b""
    if not _POOLS.fullmatch(text):
        raise InvalidInput(
            f"{hub} is not empty (it holds {MAKING_FILE!r}).", hint="Name a new or an empty folder."
        )
    return frozenset(bytes.fromhex(line) for line in text.decode().splitlines())


class Made:
    """Folders and files made so far; leaving it by an exception removes them again."""

    def __init__(self) -> None:
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def make_folder(self, path: Path) -> None:
        """Makes the folder, and those above it, where they are missing."""
        missing = [path, *path.parents]
        while missing and missing[-1].exists():
            missing.pop()
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            self._made.append(folder)

    def write(self, path: Path, data: bytes) -> None:
        """Puts a file in place whole and lasting."""
        self._made.append(path)
        write_durably(path, data)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._undo()

    def _undo(self) -> None:
        """Backwards, so that the first stays if something above it can't be removed."""
        with contextlib.suppress(OSError):
            for path in reversed(self._made):
                if path.is_dir():
                    path.rmdir()
                else:
                    path.unlink(missing_ok=True)


class Making(Made):
    """What is made of a pool, begun with the marker, which is needed as long as anything is there.

    Args:
        hub: The hub's folder.
        pool_id: The pool that is made.
    """

    def __init__(self, hub: Path, pool_id: bytes) -> None:
        super().__init__()
        self._hub = hub
        self._pool_id = pool_id
        self._marker = hub / MAKING_FILE

    def __enter__(self) -> Self:
        earlier = pools_of_earlier_tries(self._hub)
        try:
            self.make_folder(self._hub)
            lines = [f"{pool.hex()}\n" for pool in sorted(earlier | {self._pool_id})]
            if not earlier:
                self._made.append(self._marker)
            write_durably(self._marker, "".join(lines).encode())
        except BaseException:
            self._undo()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if kind is None:
            self._marker.unlink()
            sync_folder(self._hub)
