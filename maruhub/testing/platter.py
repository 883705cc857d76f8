"""The medium of a blade, in memory: what lies on it survives the processes.

A power cut keeps, drops, tears and reorders whatever was not synced; names that were not
synced come and go.
"""

from __future__ import annotations

import random
from collections.abc import Container

SECTORS = (512, 4096)
"""Sizes at whose borders a drive may tear a write."""


class Inode:
    """A file on a platter: what processes see, what is stable, and the writes in between."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.stable = b""
        self.unsynced: list[tuple[int, bytes]] = []
        self.owner: object | None = None

    def write(self, offset: int, data: bytes) -> None:
        """Puts bytes where processes see them."""
        _put(self.data, offset, data)
        self.unsynced.append((offset, data))

    def sync(self) -> None:
        """Makes what processes see stable."""
        self.stable = bytes(self.data)
        self.unsynced = []

    def truncate(self, size: int) -> None:
        """Only the first ``size`` bytes are there, and stable."""
        del self.data[size:]
        self.sync()

    def cut_power(self, chance: random.Random) -> None:
        """Keeps what is stable and any part, in any order, of what is not."""
        after = bytearray(self.stable)
        sector = chance.choice(SECTORS)
        kept = chance.choice((0.0, 0.5, 0.5, 0.9, 1.0))
        parts = [part for write in self.unsynced for part in _sectors(*write, sector)]
        # Of one sector the drive may hold any of the writes to it, so their order is free.
        chance.shuffle(parts)
        for offset, data in parts:
            if chance.random() < kept:
                _put(after, offset, data)
            elif chance.random() < 0.1:
                _put(after, offset, bytes(len(data)))  # the size was journalled, the block was not
        self.data, self.stable, self.unsynced, self.owner = after, bytes(after), [], None


def _put(data: bytearray, offset: int, new: bytes) -> None:
    if len(data) < offset:
        data.extend(bytes(offset - len(data)))
    data[offset : offset + len(new)] = new


def _sectors(offset: int, data: bytes, sector: int) -> list[tuple[int, bytes]]:
    """One write as the pieces in which it can reach the drive."""
    parts = []
    at = 0
    while at < len(data):
        stop = at + sector - (offset + at) % sector
        parts.append((offset + at, data[at:stop]))
        at = stop
    return parts


class Platter:
    """The medium of one blade. ``capacity`` in bytes, 0: endless."""

    def __init__(self, number: int, *, capacity: int = 0) -> None:
        self.number = number
        self.blade_id = number.to_bytes(16, "big")
        self.capacity = capacity
        self.read_only = False
        self.files: dict[str, Inode] = {}
        self.stable_files: dict[str, Inode] = {}
        self.stamp = 1
        self.gone = False
        self.visits = 0

    def leave(self) -> None:
        """The drive is unplugged: what was open on it never answers again."""
        self.gone = True
        self.visits += 1

    def come_back(self, chance: random.Random, files: dict[str, bytes] | None = None) -> None:
        """It is plugged in again as it was, or as it was when ``files`` were copied."""
        self.gone = False
        if files is None:
            self.cut_power(chance)
        else:
            self.put_back(files)

    def used(self) -> int:
        """Bytes taken."""
        return sum(len(inode.data) for inode in self.files.values())

    def lacking(self, more: int) -> int:
        """Bytes of ``more`` that don't fit."""
        return max(0, self.used() + max(0, more) - self.capacity) if self.capacity else 0

    def changed(self) -> None:
        """A name came or went."""
        self.stamp += 1

    def cut_power(self, chance: random.Random) -> None:
        """Each name that was not synced is there or not; each file as ``Inode.cut_power``."""
        after = {}
        for name in sorted(self.files.keys() | self.stable_files.keys()):
            now, stable = self.files.get(name), self.stable_files.get(name)
            inode = now if now is stable else chance.choice((now, stable))
            if inode is not None:
                inode.cut_power(chance)
                after[name] = inode
        self.files, self.stable_files = after, dict(after)
        self.changed()

    def kill(self, files: Container[object]) -> None:
        """The kernel frees a dead process's locks; what it wrote is there for others."""
        for inode in self.files.values():
            if inode.owner in files:
                inode.owner = None

    def copy_files(self) -> dict[str, bytes]:
        """What it holds now."""
        return {name: bytes(inode.data) for name, inode in self.files.items()}

    def put_back(self, files: dict[str, bytes]) -> None:
        """Holds these files again, as an older copy of the drive would."""
        self.files = {}
        for name, data in files.items():
            inode = self.files[name] = Inode()
            inode.write(0, data)
            inode.sync()
        self.stable_files = dict(self.files)
        self.changed()

    def rot(self, name: str, offset: int, mask: int = 0x40) -> None:
        """Flips bits of a stored byte."""
        inode = self.files[name]
        inode.data[offset] ^= mask
        inode.stable = bytes(inode.data)

    def misdirect(self, name: str, source: int, target: int, size: int = 4096) -> None:
        """A block that was meant for ``source`` is found at ``target`` too."""
        inode = self.files[name]
        inode.data[target : target + size] = inode.data[source : source + size]
        inode.stable = bytes(inode.data)
