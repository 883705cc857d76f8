"""A folder tree, one file, or what a glob matches, on a local file system.

Links: one to a file or folder inside the source is followed; one that leads out is
refused unless ``follow_symlinks`` says otherwise, since a data folder is often written
by others than the one who ingests it. A folder is entered through at most one link, and
never from within itself, so a loop ends and a maze of links can't blow up.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from maruhub.errors import InvalidInput, NotFound
from maruhub.ingest.entry import Content, Entry, Refusal, Stream, check_key
from maruhub.ingest.local_file import FileStream, read_file, refused_by_system
from maruhub.ingest.options import IngestOptions
from maruhub.ingest.pattern import Filter, depth
from maruhub.ingest.reason import EntryRefused, Reason

# A listed size may have grown a little by the time of reading; more is another file.
_GROWTH: Final = 1 << 20
_Id = tuple[int, int]


class _Folder(NamedTuple):
    """A folder to walk: ``identities`` of those above it and of itself."""

    path: str
    prefix: str
    identities: tuple[_Id, ...]


class FolderSource:
    """Files below ``path``, names relative to it.

    Args:
        name: What the user called it.
        path: A folder, or one file (its own name is the entry's).
        options: Patterns, links, folders left out.
        glob: Only names that match, anchored at ``path``.
    """

    listing_is_light = True
    members_of_samples = False

    def __init__(self, name: str, path: str, options: IngestOptions, *, glob: str | None = None) -> None:
        self.name = name
        self._path = path
        self._follow = options.follow_symlinks
        self._filter = Filter(options.include, options.exclude)
        self._glob = Filter(("/" + glob,)) if glob else Filter()
        self._depth = depth(glob) if glob else None
        self._pattern = glob
        self._real = os.path.realpath(path)
        self._left_out = {_identity(os.stat(p)) for p in options.leave_out if p.exists()}
        self._linked: set[_Id] = set()
        try:
            self._is_folder = stat.S_ISDIR(os.stat(path).st_mode)
        except FileNotFoundError:
            raise NotFound(f"There is no file or folder {path!r}.") from None
        except OSError as error:
            raise InvalidInput(f"{path!r} can't be opened: {error.strerror}.") from error

    def entries(self) -> Iterator[Entry | Refusal]:
        """Depth first, a folder's files before its folders, each sorted by name.

        Raises NotFound at the end if a glob has matched nothing.
        """
        empty = self._pattern is not None
        for found in self._walk():
            empty = False
            yield found
        if empty:
            raise NotFound(f"Nothing in {self._path!r} matches {self._pattern!r}.", hint="Check the pattern.")

    def _walk(self) -> Iterator[Entry | Refusal]:
        if not self._is_folder:
            yield self._single()
            return
        stack = [_Folder(self._path, "", (_identity(os.stat(self._path)),))]
        while stack:
            folder = stack.pop()
            below: list[_Folder] = []
            try:
                with os.scandir(folder.path) as scan:
                    listed = sorted(scan, key=_by_name)
            except OSError as error:
                yield Refusal.of(folder.prefix or self._path, refused_by_system(error))
                continue
            for each in listed:
                found = self._look(each, folder)
                if isinstance(found, _Folder):
                    below.append(found)
                elif found is not None:
                    yield found
            stack.extend(reversed(below))

    def _single(self) -> Entry | Refusal:
        name = os.path.basename(self._path)
        try:
            check_key(name)
            state = os.stat(self._path)
            if not stat.S_ISREG(state.st_mode):
                raise EntryRefused(Reason.SPECIAL, f"it is {_kind(state.st_mode)}, not a file")
        except EntryRefused as refused:
            return Refusal.of(name, refused)
        return Entry(name, state.st_size, state.st_mtime_ns, self._real)

    def _look(self, each: os.DirEntry[str], folder: _Folder) -> Entry | Refusal | _Folder | None:
        name = folder.prefix + each.name
        try:
            if each.is_dir(follow_symlinks=False):
                return self._enter(folder, each.path, name)
            if each.is_symlink() and _is_folder(each):
                return self._enter_link(folder, each, name)
            return self._entry(each, name)
        except EntryRefused as refused:
            return Refusal.of(name, refused)
        except OSError as error:
            return Refusal.of(name, refused_by_system(error))

    def _enter(self, above: _Folder, path: str, name: str) -> _Folder | None:
        if not self._filter.enters(name) or (self._depth is not None and name.count("/") >= self._depth):
            return None
        identity = _identity(os.stat(path))
        if identity in self._left_out:
            return None
        return _Folder(path, name + "/", (*above.identities, identity))

    def _enter_link(self, above: _Folder, each: os.DirEntry[str], name: str) -> _Folder | None:
        if not self._filter.enters(name):
            return None
        target = self._target(each)
        identity = _identity(os.stat(target))
        if identity in above.identities:
            raise EntryRefused(Reason.LINK_LOOP, "it links to a folder that it lies in")
        if identity in self._linked:
            raise EntryRefused(Reason.LINK_LOOP, "its folder was taken through another link already")
        self._linked.add(identity)
        return self._enter(above, target, name)

    def _entry(self, each: os.DirEntry[str], name: str) -> Entry | None:
        if not (self._filter.takes(name) and self._glob.takes(name)):
            return None
        check_key(name)
        linked = each.is_symlink()
        path = self._target(each) if linked else each.path
        state = os.stat(path) if linked else each.stat(follow_symlinks=False)
        if not stat.S_ISREG(state.st_mode):
            raise EntryRefused(Reason.SPECIAL, f"it is {_kind(state.st_mode)}, not a file")
        return Entry(name, state.st_size, state.st_mtime_ns, path)

    def _target(self, each: os.DirEntry[str]) -> str:
        try:
            target = os.path.realpath(each.path, strict=True)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise EntryRefused(Reason.LINK_LOOP, "its links go round") from error
            raise EntryRefused(Reason.LINK_BROKEN, "its link leads nowhere") from error
        inside = os.path.commonpath((self._real, target)) == self._real
        if not inside and not self._follow:
            raise EntryRefused(Reason.LINK_OUTSIDE, f"it links out of the source, to {target!r}")
        return target

    def read_many(self, entries: Sequence[Entry]) -> list[Content | Refusal]:
        """Each file opened, read and closed in turn; threads do it side by side."""
        return [self._read(entry) for entry in entries]

    def _read(self, entry: Entry) -> Content | Refusal:
        try:
            return read_file(entry.where, entry.size + _GROWTH)
        except EntryRefused as refused:
            return Refusal.of(entry.name, refused)

    def open(self, entry: Entry) -> Stream:
        """The file, in pieces."""
        return FileStream(entry.where)

    def close(self) -> None:
        """Nothing is held open."""


def _by_name(each: os.DirEntry[str]) -> str:
    return each.name


def _is_folder(link: os.DirEntry[str]) -> bool:
    try:
        return link.is_dir()
    except OSError:  # links in a circle: looked at as what it is later
        return False


def _identity(state: os.stat_result) -> _Id:
    return state.st_dev, state.st_ino


def _kind(mode: int) -> str:
    kinds = {
        stat.S_ISFIFO: "a pipe",
        stat.S_ISSOCK: "a socket",
        stat.S_ISBLK: "a device",
        stat.S_ISCHR: "a device",
    }
    return next((name for test, name in kinds.items() if test(mode)), "something else")
