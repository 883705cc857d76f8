"""The one rule from keys to paths, and back.

Pure, total, injective, and the identity for ordinary keys. A key's path depends on the
key alone, but for one bit: whether other keys lie below it (``a`` beside ``a/b``). What a
file system cannot hold is written in parts that begin with a mark:

======  ==========================================================================
part    stands for
======  ==========================================================================
``%~x`` one part of the key: x with ``%25`` for ``%`` and ``%00`` for NUL
``%+x`` the beginning of a part too long for a file name; goes on in the next part
``%^``  (last) the object named by the folder it stands in
======  ==========================================================================

Used by cp, export, rescue and mounts: ``docs/reference/names.md`` has examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from maruhub.errors import InvalidName
from maruhub.namespace.names import encode_key, encode_text

PART_BYTES_MAX: Final = 255
"""Longest file name, in bytes, on every file system we know."""

_MARKED: Final = "%~"
_BEGUN: Final = "%+"
_SELF: Final = "%^"
_MARKS: Final = (_MARKED, _BEGUN, _SELF)
_BODY_BYTES_MAX: Final = PART_BYTES_MAX - len(_MARKED)
_TOKEN: Final = re.compile(r"%(?:25|00)|.", re.DOTALL)
_ESCAPED: Final = re.compile(r"%(25|00)")
_PLAIN_KEY: Final = re.compile(r"(?!.*%[~+^])[^/.\0][^/\0]{0,59}(?:/[^/.\0][^/\0]{0,59})*", re.DOTALL)


def key_to_path(key: str, *, is_also_folder: bool = False) -> str:
    """The relative path of a key: parts of 1 to 255 bytes, none ``.`` or ``..``, no NUL.

    Args:
        key: A valid key, else InvalidName.
        is_also_folder: Whether another key begins with ``key + "/"``; then the path
            ``key_to_path(key)`` is a folder, and the object is a file in it.
    """
    encode_key(key)
    path = key if _PLAIN_KEY.fullmatch(key) else "/".join(map(_part_to_path, key.split("/")))
    return f"{path}/{_SELF}" if is_also_folder else path


def path_to_key(path: str) -> str:
    """The key whose path this is, the inverse of :func:`key_to_path`.

    Raises InvalidName for whatever no key maps to: an absolute path, ``..``, an escape
    where none is needed.
    """
    encode_text(path, "path")
    parts = path.split("/")
    is_self = parts[-1] == _SELF
    parts = parts[:-1] if is_self else parts
    key = "/".join(_joined(parts))
    try:
        canonical = key_to_path(key, is_also_folder=is_self)
    except InvalidName:
        canonical = ""
    if not path or canonical != path:
        raise InvalidName(
            f"no key has the path {path[:80]!r}.",
            hint="Parts that begin with '%~', '%+' or '%^' are escapes; rename what is not one.",
        )
    return key


def prefix_to_folder(prefix: str) -> str:
    """The relative path of the folder of all keys below ``prefix``, which ends in ``/`` (or is empty)."""
    if prefix and not prefix.endswith("/"):
        raise InvalidName(f"the prefix {prefix[:80]!r} is not a folder's.", hint="End it with '/'.")
    return "/".join(map(_part_to_path, prefix.split("/")[:-1]))


def folder_to_prefix(folder: str) -> str:
    """The prefix of a folder, the inverse of :func:`prefix_to_folder`; raises InvalidName."""
    return path_to_key(f"{folder}/{_MARKED}") if folder else ""


def also_folders(keys: Iterable[str]) -> set[str]:
    """Those of ``keys`` below which another of them lies: their ``is_also_folder`` is True."""
    known = keys if isinstance(keys, (set, frozenset)) else set(keys)
    return {folder for key in known for folder in _folders_of(key) if folder in known}


def _folders_of(key: str) -> Iterator[str]:
    at = key.find("/")
    while at >= 0:
        yield key[:at]
        at = key.find("/", at + 1)


def _part_to_path(part: str) -> str:
    plain = part not in ("", ".", "..") and "\0" not in part and not part.startswith(_MARKS)
    if plain and len(part.encode()) <= PART_BYTES_MAX:
        return part
    *begun, last = _cut(part.replace("%", "%25").replace("\0", "%00"))
    return "/".join([*(_BEGUN + piece for piece in begun), _MARKED + last])


def _cut(body: str) -> list[str]:
    """Pieces as long as a part can take, never within a character or an escape."""
    pieces: list[str] = []
    held: list[str] = []
    held_bytes = 0
    for token in _TOKEN.findall(body):
        size = len(token.encode())
        if held_bytes + size > _BODY_BYTES_MAX:
            pieces.append("".join(held))
            held, held_bytes = [], 0
        held.append(token)
        held_bytes += size
    return [*pieces, "".join(held)]


def _joined(parts: Iterable[str]) -> Iterator[str]:
    """The key's parts; what is not canonical is found by mapping them back."""
    begun = ""
    for part in parts:
        if part.startswith(_BEGUN):
            begun += part[len(_BEGUN) :]
        elif part.startswith(_MARKED):
            body = begun + part[len(_MARKED) :]
            yield _ESCAPED.sub(lambda found: chr(int(found[1], 16)), body)
            begun = ""
        else:
            yield part
