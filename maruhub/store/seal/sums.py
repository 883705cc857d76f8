"""CRC-32 of many blocks: ISA-L's where it is found, zlib's elsewhere; the same numbers.

One block is so short that giving the interpreter's lock away and getting it back costs more
than its sum: ISA-L is called with the lock held, which takes 1.6 µs a block.
"""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from maruhub.store.format.strip import SUM_BLOCK_BYTES

Sums = Callable[[memoryview], list[int]]

_TRIED: Final = bytes(range(256)) * 65


def block_sums(data: memoryview) -> list[int]:
    """CRC-32 of each 16 KiB of ``data``, the last of which may be shorter."""
    return _fastest()(data)


def block_sums_plain(data: memoryview) -> list[int]:
    """The definition itself."""
    return [zlib.crc32(data[at : at + SUM_BLOCK_BYTES]) for at in range(0, len(data), SUM_BLOCK_BYTES)]


@cache
def _fastest() -> Sums:
    for name in [*_bundled(), "libisal.so.2"]:
        try:
            sums = _isal(ctypes.PyDLL(name))
        except (OSError, AttributeError):
            continue
        tried = memoryview(bytearray(_TRIED))
        if sums(tried) == block_sums_plain(tried):
            return sums
    return block_sums_plain


def _bundled() -> list[str]:
    """The library in PyECLib's wheel."""
    spec = find_spec("pyeclib")
    if spec is None or spec.origin is None:
        return []
    return [
        str(path) for path in sorted((Path(spec.origin).parent.parent / "pyeclib.libs").glob("libisal*.so*"))
    ]


def _isal(library: ctypes.PyDLL) -> Sums:
    crc = library.crc32_gzip_refl
    crc.restype, crc.argtypes = ctypes.c_uint32, (ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint64)

    def sums(data: memoryview) -> list[int]:
        if data.readonly or not len(data):
            return block_sums_plain(data)
        start = ctypes.addressof(ctypes.c_char.from_buffer(data))
        whole = len(data) - len(data) % SUM_BLOCK_BYTES
        found = [crc(0, at, SUM_BLOCK_BYTES) for at in range(start, start + whole, SUM_BLOCK_BYTES)]
        return found + ([crc(0, start + whole, len(data) - whole)] if whole < len(data) else [])

    return sums
