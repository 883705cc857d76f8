"""Disks that log every write, so that a power cut can be replayed at any point of the log.

A FUSE folder holds one file a disk and the file ``mark``. A loop device lies on each disk's
file, a real file system on the device, the program under test in it. Writes, flushes and
marks are logged in the order in which they came; ``mark`` is where the program under test
says what it has acknowledged. Needs root, ``/dev/fuse`` and loop devices.

As a program, ``python -m maruhub.testing.logged_disk FOLDER LOG DISK_IMAGE…`` serves the
folder until it is unmounted. The images are read, never written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SECTOR_BYTES: Final = 512
_SUPERBLOCK_BYTES: Final = 4096
MARK: Final = "mark"
_BUSY_SECONDS: Final = 2.0
_HEAD: Final = struct.Struct("<BBQQ")
_WRITE, _FLUSH, _MARK = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log: a write to a disk, its flush (no data), or a mark (disk -1)."""

    disk: int
    offset: int
    data: bytes | None


def read_log(path: Path) -> list[Entry]:
    """All entries, in order; one that is torn at the end is left out."""
    raw = path.read_bytes()
    entries = []
    at = 0
    while at + _HEAD.size <= len(raw):
        kind, disk, offset, size = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        if at + size > len(raw):
            break
        data = raw[at : at + size]
        at += size
        entries.append(Entry(-1 if kind == _MARK else disk, offset, None if kind == _FLUSH else data))
    return entries


def marks(entries: Sequence[Entry]) -> bytes:
    """All that was written to ``mark``, joined."""
    return b"".join(entry.data for entry in entries if entry.disk < 0 and entry.data is not None)


class Replay:
    """The disks as a power cut leaves them: all that was flushed, and some of the rest.

    Cuts must ascend. Each disk loses on its own, by whole writes, blocks or sectors.
    """

    def __init__(self, entries: Sequence[Entry], images: Sequence[Path]) -> None:
        self._entries = entries
        self._images = images
        self._at = 0
        self._unsynced: list[list[Entry]] = [[] for _ in images]

    def cut(self, point: int, targets: Sequence[Path], rng: random.Random) -> None:
        """Writes each disk as it may be after the first ``point`` entries to ``targets``.

        The images handed in at the beginning become what was flushed by then.
        """
        for entry in self._entries[self._at : point]:
            if entry.disk >= 0:
                self._advance(entry)
        self._at = point
        for image, target, pending in zip(self._images, targets, self._unsynced, strict=True):
            shutil.copyfile(image, target)
            granule = rng.choice((SECTOR_BYTES, 4096, 1 << 30))
            with open(target, "r+b") as file:
                for entry in pending:
                    _write_some(file, entry, granule, rng)

    def _advance(self, entry: Entry) -> None:
        if entry.data is not None:
            self._unsynced[entry.disk].append(entry)
            return
        with open(self._images[entry.disk], "r+b") as file:
            for written in self._unsynced[entry.disk]:
                file.seek(written.offset)
                file.write(written.data or b"")
        self._unsynced[entry.disk].clear()


def _write_some(file: Any, entry: Entry, granule: int, rng: random.Random) -> None:
    data = entry.data or b""
    if entry.offset < _SUPERBLOCK_BYTES:
        # File systems count on it being whole: torn, none of them mounts without its checker.
        granule = max(granule, _SUPERBLOCK_BYTES)
    for at in range(0, len(data), granule):
        if rng.random() < 0.5:
            file.seek(entry.offset + at)
            file.write(data[at : at + granule])


class Mounts:
    """Loop devices and mounts, given back in reverse order whatever happens. Needs root."""

    def __init__(self) -> None:
        self._undo: list[list[str]] = []
        self._servers: list[subprocess.Popen[bytes]] = []

    def loop(self, image: Path) -> str:
        """A loop device on a file."""
        device = _run("losetup", "--find", "--show", str(image)).strip()
        self._undo.append(["losetup", "--detach", device])
        return device

    def mount(self, device: str, folder: Path, *options: str) -> None:
        """Mounts a device on a folder, which is made if need be."""
        folder.mkdir(parents=True, exist_ok=True)
        _run("mount", *options, device, str(folder))
        self._undo.append(["umount", str(folder)])

    def serve(self, folder: Path, log: Path, images: Sequence[Path]) -> None:
        """Starts the FUSE folder of logged disks, and waits until it is there."""
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "maruhub.testing.logged_disk", str(folder), str(log)]
        process = subprocess.Popen([*command, *map(str, images)])
        self._servers.append(process)
        self._undo.append(["fusermount3", "-u", str(folder)])
        until = time.monotonic() + 20
        while not (folder / MARK).exists():
            if process.poll() is not None or time.monotonic() > until:
                raise OSError(errno.ENODEV, f"the logged disk didn't start (status {process.returncode})")
            time.sleep(0.01)

    def close(self) -> None:
        """Unmounts and detaches what this object made, lazily if it is still in use.

        Raises OSError if it was: a file system that lives on somewhere writes to its disk
        when it goes, over whatever lies there by then.
        """
        busy = [error for command in reversed(self._undo) if (error := _undo(command))]
        self._undo.clear()
        for server in self._servers:
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        self._servers.clear()
        if busy:
            raise OSError(errno.EBUSY, "; ".join(busy))

    def __enter__(self) -> Mounts:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        with contextlib.suppress(OSError) if error is not None else contextlib.nullcontext():
            self.close()


def _undo(command: Sequence[str]) -> str:
    """Undoes one step, in any case; why that wasn't clean, empty if it was."""
    until = time.monotonic() + _BUSY_SECONDS
    while (done := subprocess.run(command, check=False, capture_output=True, text=True)).returncode:
        if time.monotonic() > until:
            if lazy := {"umount": "-l", "fusermount3": "-z"}.get(command[0]):
                subprocess.run([command[0], lazy, *command[1:]], check=False, capture_output=True)
            return f"{' '.join(command)}: {done.stderr.strip()}"
        # Who just ended may still be letting go of its files.
        time.sleep(0.05)
    return ""


def missing() -> str:
    """Why power cuts can't be replayed here; empty if they can."""
    if os.geteuid():
        return "mounting needs root"
    for path in ("/dev/fuse", "/dev/loop-control"):
        if not os.path.exists(path):
            return f"{path} is not there"
    for program in ("losetup", "mount", "mkfs.ext4", "fusermount3"):
        if shutil.which(program) is None:
            return f"no {program}"
    try:
        import mfusepy  # noqa: F401
    except (ImportError, OSError) as error:
        return f"mfusepy: {error}"
    return ""


def make_image(path: Path, size_bytes: int, *, kind: str = "ext4") -> None:
    """A file that holds an empty file system."""
    with open(path, "wb") as file:
        file.truncate(size_bytes)
    if kind == "ext4":
        _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,nodiscard", str(path))
    else:
        _run(f"mkfs.{kind}", "-q", str(path))


def _run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise OSError(errno.EIO, f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class _Disk:
    """One disk in memory, on top of an image: only written blocks are kept."""

    def __init__(self, image: Path) -> None:
        self.size = image.stat().st_size
        self.memory = bytearray(image.read_bytes())


def _operations(log: Path, images: Sequence[Path]) -> Any:
    import mfusepy

    disks = {f"/disk{number}": _Disk(image) for number, image in enumerate(images)}
    numbers = {path: number for number, path in enumerate(disks)}

    class LoggedDisks(mfusepy.Operations):  # type: ignore[misc,unused-ignore]
        """One thread serves all calls, so the log's order is theirs."""

        use_ns = True

        def __init__(self) -> None:
            self._log = open(log, "ab", buffering=0)  # noqa: SIM115 - open as long as it is served
            self._marked = 0

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
            if path == f"/{MARK}":
                return {"st_mode": stat.S_IFREG | 0o644, "st_nlink": 1, "st_size": self._marked}
            if path in disks:
                return {"st_mode": stat.S_IFREG | 0o600, "st_nlink": 1, "st_size": disks[path].size}
            raise mfusepy.FuseOSError(errno.ENOENT)

        def readdir(self, path: str, fh: int) -> Iterator[str]:
            yield from (".", "..", MARK, *(name[1:] for name in disks))

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return bytes(disks[path].memory[offset : offset + size])

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            if path == f"/{MARK}":
                self._note(_MARK, 0, self._marked, data)
                self._marked += len(data)
            else:
                disks[path].memory[offset : offset + len(data)] = data
                self._note(_WRITE, numbers[path], offset, data)
            return len(data)

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            if path in numbers:
                self._note(_FLUSH, numbers[path], 0, b"")
            return 0

        def truncate(self, path: str, length: int, fh: int | None = None) -> int:
            return 0

        def _note(self, kind: int, disk: int, offset: int, data: bytes) -> None:
            self._log.write(_HEAD.pack(kind, disk, offset, len(data)) + bytes(data))

    return LoggedDisks()


def main(folder: Path, log: Path, images: Sequence[Path]) -> None:
    """Serves the folder until it is unmounted."""
    import mfusepy

    mfusepy.FUSE(
        _operations(log, images), str(folder), foreground=True, nothreads=True, direct_io=True, nonempty=False
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(word) for word in sys.argv[3:]])
