"""NumPy's own files (.npy): views of the bytes, without a copy."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from maruhub.errors import InvalidData

_HEADER_MAX: Final = 65_536


@dataclass(frozen=True, slots=True)
class Array:
    """The array of an ``.npy`` file: read-only, over the sample's own bytes.

    Arrays of Python objects are refused: they are pickles.
    """

    def __call__(self, blob: memoryview) -> npt.NDArray[Any]:
        """The array; InvalidData where header and bytes don't fit."""
        head = io.BytesIO(blob[: _HEADER_MAX + 16])
        try:
            version = np.lib.format.read_magic(head)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran, dtype = read(head)
        except Exception as error:
            raise InvalidData(f"it is no .npy file: {error}") from error
        if dtype.hasobject:
            raise InvalidData("the array holds Python objects, which would have to be unpickled.")
        # Python's own numbers: a header may claim more than 64 bits hold.
        claimed = math.prod(map(int, shape)) * dtype.itemsize
        data = blob[head.tell() :]
        if claimed != len(data):
            raise InvalidData(f"the header promises {claimed} bytes of array, there are {len(data)}.")
        flat = np.frombuffer(data, dtype=dtype)
        return flat.reshape(shape, order="F" if fortran else "C")
