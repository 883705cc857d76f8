"""Reed–Solomon: two parity strips beside 1 to 8 data strips; any two of them may be lost.

This module does not know what a strip is on a drive. Byte i of each parity strip follows
from byte i of each data strip alone, so a range of the strips is coded and decoded like the
whole, and nothing but those bytes is written. Over GF(2^8) with the polynomial 0x11d::

    P = d0 + d1 + … + dk-1                  strip k, plain XOR
    Q = d0 + 2 d1 + 4 d2 + … + 2^(k-1) dk-1     strip k + 1

It is the code of RAID-6 (H. P. Anvin, "The mathematics of RAID-6") and, for two parity
strips, ISA-L's ``gf_gen_rs_matrix``. With one data strip both are copies of it.

ISA-L does the work where it is found (in the wheel of PyECLib, or installed by the system)
and agrees with the few lines here; elsewhere numpy does it, some twenty times slower.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from maruhub.errors import Corrupt, InvalidInput
from maruhub.store.protocol import Buffer

Strip = NDArray[np.uint8]
Matrix = tuple[tuple[int, ...], ...]
"""A row for each strip to make: the coefficient of each strip that is there."""
Multiply = Callable[[Matrix, Sequence[Buffer], int], list[Strip]]
"""(matrix, strips, their length in bytes) -> new strips; its caller has checked the lengths."""

MAX_DATA: Final = 8
PARITY: Final = 2
_POLYNOMIAL: Final = 0x11D
_MAX_BYTES: Final = (1 << 31) - 1
"""ISA-L counts bytes in a C int."""
_TRIED: Final = 331
"""Every byte, in whole vectors of any width and a rest."""


@dataclass(frozen=True, slots=True)
class Code:
    """The code of ``data`` + ``parity`` strips; get it from :func:`code`.

    Strips are numbered: data 0 … data - 1, then P and Q. All calls may be made from many
    threads; the interpreter's lock is free while ISA-L works. Buffers that are handed in are
    only read; those that come back belong to the caller. A strip that is shorter on its
    drive counts as filled up with zeros, which the caller puts in.
    """

    data: int
    multiply: Multiply = field(repr=False, compare=False)
    parity: ClassVar[int] = PARITY

    def encode(self, strips: Sequence[Buffer]) -> list[memoryview]:
        """P and Q of all data strips, ``uint8[length]`` each.

        Raises:
            InvalidInput: Not ``data`` strips, of unequal length, or of 2 GiB or more.
        """
        if len(strips) != self.data:
            raise InvalidInput(f"A code of {self.data} data strips got {len(strips)} of them to encode.")
        length = _length(range(self.data), strips, InvalidInput)
        return [made.data for made in self.multiply(_parity(self.data), strips, length)]

    def decode(self, have: Mapping[int, Buffer], want: Sequence[int]) -> list[memoryview]:
        """The strips ``want``, data or parity, in that order, from any ``data`` others.

        Args:
            have: The same range of strips by their number; of more than are needed the
                lowest numbers are used. What is in ``have`` is given back as it is, uncopied.
            want: Numbers of strips.

        Raises:
            Corrupt: Fewer than ``data`` strips, or of unequal length.
            InvalidInput: There is no strip of that number, or it has 2 GiB or more.
        """
        used, lost, matrix = _plan(self.data, tuple(have), tuple(want))
        if not lost:
            return [memoryview(have[number]) for number in want]
        strips = [have[number] for number in used]
        made = self.multiply(matrix, strips, _length(used, strips, Corrupt))
        if len(lost) == len(want):
            return [strip.data for strip in made]
        found = dict(zip(lost, made, strict=True))
        return [found[number].data if number in found else memoryview(have[number]) for number in want]


@cache
def code(data: int) -> Code:
    """The code of 1 to 8 data strips, the same object every time.

    Raises:
        InvalidInput: Any other number.
    """
    if not 1 <= data <= MAX_DATA:
        raise InvalidInput(f"There is a code for 1 to {MAX_DATA} data strips, not for {data}.")
    return Code(data, fastest())


def _length(numbers: Iterable[int], strips: Sequence[Buffer], wrong: type[InvalidInput | Corrupt]) -> int:
    lengths = [len(strip) if type(strip) is bytes else memoryview(strip).nbytes for strip in strips]
    if lengths.count(lengths[0]) != len(lengths):
        told = ", ".join(f"{number}: {length}" for number, length in zip(numbers, lengths, strict=True))
        raise wrong(f"Strips of a range must be equally long; these have bytes {told}.")
    if lengths[0] > _MAX_BYTES:
        raise InvalidInput(f"A range of {lengths[0]} bytes is too long to code at once.", hint="Cut it.")
    return lengths[0]


# ---------------------------------------------------------------- what the parity is


def _times(a: int, b: int) -> int:
    """The product in the field: polynomials over bits, modulo the field's polynomial."""
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a <<= 1
        a ^= _POLYNOMIAL if a & 0x100 else 0
        b >>= 1
    return product


@cache
def _inverse(a: int) -> int:
    return next(b for b in range(1, 256) if _times(a, b) == 1)


def _row(data: int, number: int) -> tuple[int, ...]:
    """The coefficients of all data strips in strip ``number``."""
    if number < data:
        return tuple(int(column == number) for column in range(data))
    return (1,) * data if number == data else tuple(1 << column for column in range(data))


@cache
def _parity(data: int) -> Matrix:
    return tuple(_row(data, number) for number in range(data, data + PARITY))


@lru_cache(maxsize=4096)
def _plan(
    data: int, have: tuple[int, ...], want: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], Matrix]:
    """Which strips to use, which to make, and the rows that make them.

    A row is the lost strip's over the data, times the inverse of the used strips'.
    """
    unknown = [number for number in (*have, *want) if not 0 <= number < data + PARITY]
    if unknown:
        raise InvalidInput(f"A code of {data} + {PARITY} strips has no strip {unknown[0]}.")
    lost = tuple(dict.fromkeys(number for number in want if number not in have))
    used = tuple(sorted(have))[:data]
    if not lost:
        return used, lost, ()
    if len(used) < data:
        raise Corrupt(
            f"Strips {', '.join(map(str, lost))} can't be rebuilt: {len(used)} others are left, "
            f"{data} are needed.",
            hint="Bring back a blade that holds another strip of this segment.",
        )
    inverse = _inverted(tuple(_row(data, number) for number in used))
    return used, lost, tuple(_combined(_row(data, number), inverse) for number in lost)


def _combined(row: Sequence[int], matrix: Sequence[Sequence[int]]) -> tuple[int, ...]:
    sums = [0] * len(matrix[0])
    for factor, line in zip(row, matrix, strict=True):
        sums = [one ^ _times(factor, other) for one, other in zip(sums, line, strict=True)]
    return tuple(sums)


def _inverted(matrix: Matrix) -> list[list[int]]:
    """Gauss and Jordan; any ``data`` rows of the code can be inverted, so a pivot is always found."""
    size = len(matrix)
    rows = [[*row, *_row(size, number)] for number, row in enumerate(matrix)]
    for column in range(size):
        pivot = next(line for line in range(column, size) if rows[line][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = _inverse(rows[column][column])
        rows[column] = [_times(scale, value) for value in rows[column]]
        for line in range(size):
            factor = rows[line][column] if line != column else 0
            rows[line] = [a ^ _times(factor, b) for a, b in zip(rows[line], rows[column], strict=True)]
    return [row[size:] for row in rows]


# ---------------------------------------------------------------- who multiplies


@cache
def _table(factor: int) -> Strip:
    return np.array([_times(factor, value) for value in range(256)], np.uint8)


def multiply_plain(matrix: Matrix, strips: Sequence[Buffer], length: int) -> list[Strip]:
    """The definition itself, in numpy: a table per factor, and XOR."""
    arrays = [np.frombuffer(strip, np.uint8) for strip in strips]
    made = [np.zeros(length, np.uint8) for _ in matrix]
    for row, total in zip(matrix, made, strict=True):
        for factor, array in zip(row, arrays, strict=True):
            if factor:
                np.bitwise_xor(total, array if factor == 1 else _table(factor)[array], out=total)
    return made


@cache
def fastest() -> Multiply:
    """ISA-L's multiplication, or the plain one where it isn't found or does not agree."""
    found = find_isal()
    return multiply_plain if found is None else found


def find_isal() -> Multiply | None:
    """ISA-L from PyECLib's wheel, else the system's; None without one that agrees with us."""
    for name in [*_bundled(), "libisal.so.2"]:
        with contextlib.suppress(OSError, AttributeError):
            multiply = _isal(ctypes.CDLL(name))
            if agrees(multiply):
                return multiply
    return None


def _bundled() -> list[str]:
    try:
        import pyeclib
    except ImportError:
        return []
    beside = Path(pyeclib.__file__).parent.parent / "pyeclib.libs"
    return [str(path) for path in sorted(beside.glob("libisal*.so*"))]


def agrees(multiply: Multiply) -> bool:
    """Whether it gives what the definition gives: what is on drives must not hang on a library."""
    strips = [bytes((start + at) % 256 for at in range(_TRIED)) for start in range(MAX_DATA)]
    matrix = (*_parity(MAX_DATA), tuple(range(0xF0, 0xF0 + MAX_DATA)))
    pairs = zip(multiply(matrix, strips, _TRIED), multiply_plain(matrix, strips, _TRIED), strict=True)
    return all(np.array_equal(ours, plain) for ours, plain in pairs)


def _isal(library: ctypes.CDLL) -> Multiply:
    """A call of ``ec_encode_data``, with the tables of every matrix kept.

    Raises:
        AttributeError: The library has no such function.
    """
    init, run = library.ec_init_tables, library.ec_encode_data
    init.restype = run.restype = None

    @lru_cache(maxsize=4096)
    def tables(matrix: Matrix) -> ctypes.Array[ctypes.c_char]:
        made = ctypes.create_string_buffer(32 * len(matrix) * len(matrix[0]))
        init(len(matrix[0]), len(matrix), b"".join(map(bytes, matrix)), made)
        return made

    def multiply(matrix: Matrix, strips: Sequence[Buffer], length: int) -> list[Strip]:
        made = [np.empty(length, np.uint8) for _ in matrix]
        if length:
            # Addresses hold while the buffers do: until this returns.
            targets = (ctypes.c_void_p * len(made))(*[_place(strip.data) for strip in made])
            run(length, len(strips), len(made), tables(matrix), _places(strips), targets)
        return made

    return multiply


def _places(strips: Sequence[Buffer]) -> ctypes.Array[ctypes.c_char_p] | ctypes.Array[ctypes.c_void_p]:
    plain = [strip for strip in strips if type(strip) is bytes]
    if len(plain) == len(strips):
        return (ctypes.c_char_p * len(plain))(*plain)
    return (ctypes.c_void_p * len(strips))(*map(_place, strips))


def _place(strip: Buffer) -> int:
    """Its address: ctypes tells that of a writable buffer, numpy of any, in three times the time."""
    view = memoryview(strip)
    if view.readonly:
        return np.frombuffer(view, np.uint8).ctypes.data
    return ctypes.addressof(ctypes.c_char.from_buffer(view))
