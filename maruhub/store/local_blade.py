"""A blade in a folder of this machine."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from maruhub.store.blade import Buffer
from maruhub.store.capacity import Room

_IOV_MAX: Final = 1024
SEGMENTS_FOLDER: Final = "segments"


class LocalFile:
    """``BladeFile`` on a descriptor."""

    _fd = -1

    def __init__(self, path: Path, flags: int) -> None:
        self._fd = os.open(path, flags | os.O_CLOEXEC, 0o640)

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        for at in range(0, len(buffers), _IOV_MAX):
            group = list(buffers[at : at + _IOV_MAX])
            wanted = sum(map(len, group))
            done = os.pwritev(self._fd, group, offset)
            if done < wanted:
                self._write_rest(offset, b"".join(group), done)
            offset += wanted

    def _write_rest(self, offset: int, data: bytes, done: int) -> None:
        while done < len(data):
            done += os.pwrite(self._fd, memoryview(data)[done:], offset + done)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        done = 0
        while done < len(buffer):
            count = os.preadv(self._fd, [buffer[done:]], offset + done)
            if not count:
                break
            done += count
        return done

    def fileno(self) -> int:
        """The descriptor, for advice to the kernel."""
        return self._fd

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def sync(self) -> None:
        os.fdatasync(self._fd)
        if not os.fstat(self._fd).st_nlink:
            # Its folder was removed: what was written is gone with the last descriptor.
            raise OSError(errno.ENODEV, "a file was removed from a blade while it was written")

    def lock(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # Whoever removes a dead writer's file does so under its lock: ours may be gone by now.
        return os.fstat(self._fd).st_nlink > 0

    def map(self) -> mmap.mmap | None:
        return mmap.mmap(self._fd, 0, prot=mmap.PROT_READ)

    def close(self) -> None:
        # Two threads may give a failed log up at once; a number closed twice may be another's file.
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


class LocalBlade:
    """``Blade`` in the folder ``root``; its files lie in ``root/segments``."""

    def __init__(self, root: Path, blade_id: bytes) -> None:
        self.root = root
        self.blade_id = blade_id
        self._folder = root / SEGMENTS_FOLDER

    def open(self, name: str, *, create: bool = False, write: bool = False) -> LocalFile:
        flags = os.O_RDWR if create or write else os.O_RDONLY
        return LocalFile(self._folder / name, flags | (os.O_CREAT | os.O_EXCL if create else 0))

    def remove(self, name: str) -> None:
        os.unlink(self._folder / name)

    def names(self) -> list[str]:
        return os.listdir(self._folder)

    def sync_names(self) -> None:
        sync_folder(self._folder)

    def names_stamp(self) -> int:
        return self._folder.stat().st_mtime_ns

    def free_bytes(self) -> int:
        return self.room().free_bytes

    def room(self) -> Room:
        """What the drive says of itself."""
        space = os.statvfs(self._folder)
        return Room(
            free_bytes=space.f_bavail * space.f_frsize,
            total_bytes=space.f_blocks * space.f_frsize,
            read_only=bool(space.f_flag & os.ST_RDONLY),
        )

    def used_bytes(self) -> int:
        """What the pool's files take on the drive; a file that goes meanwhile counts or doesn't."""
        total = 0
        with os.scandir(self._folder) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
        return total

    def __repr__(self) -> str:
        return f"LocalBlade({str(self.root)!r})"

    def __str__(self) -> str:
        return str(self.root)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_durably(path: Path, data: bytes) -> None:
    """Puts a small file in place whole: new file, sync, rename, folder sync."""
    temporary = path.with_name(f"{path.name}.new.{os.getpid()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
