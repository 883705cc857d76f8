"""Train, validation, test: a keyed hash decides, so the answer never moves.

Pure. A sample's side is a function of its root id (or its group's value) and the pool's
key alone: it stays when the dataset grows, shrinks or is labelled again, and whatever is
derived from a sample inherits it. Hash: xxh3-64 of the UTF-8 text, seed = the pool's key;
read as a fraction of 2**64 and compared with the fractions' running sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import xxhash

from maruhub import argument
from maruhub.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

NAMES: Final = ("train", "validation", "test")

Hashes = npt.NDArray[np.uint64]
"""``uint64[n]``: a sample's (or its group's) keyed hash."""


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How a dataset is split.

    Args:
        fractions: Shares of train, validation and test; they add up to 1.
        group: A column whose equal values stay on one side (None: each sample alone).
    """

    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    group: str | None = None

    @classmethod
    def of(cls, fractions: Sequence[float] | None, group: str | None) -> SplitRule:
        """A checked rule; raises InvalidInput."""
        if fractions is None:
            return cls(group=group)
        try:
            shares = tuple(float(f) for f in fractions)
        except (TypeError, ValueError):
            raise argument.wrong("fractions", fractions, "three shares such as (0.8, 0.1, 0.1)") from None
        if len(shares) != 3 or not all(0 <= f <= 1 for f in shares) or abs(sum(shares) - 1) > 1e-6:
            raise InvalidInput(
                f"fractions {tuple(fractions)} are not three shares that add up to 1.",
                hint="Give train, validation and test, such as (0.8, 0.1, 0.1).",
            )
        return cls((shares[0], shares[1], shares[2]), group)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> SplitRule:
        """From a dataset's row."""
        return cls.of(raw["fractions"], raw["group"])

    def to_json(self) -> dict[str, Any]:
        """For a dataset's row."""
        return asdict(self) | {"fractions": list(self.fractions)}

    def mask(self, name: str, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """``bool[n]``: which hashes fall into split ``name``."""
        which = NAMES.index(check_split(name))
        bounds = [0, *_bounds(self.fractions), 1 << 64]
        low, high = bounds[which], bounds[which + 1]
        inside = hashes >= np.uint64(min(low, (1 << 64) - 1))
        if low >= high:
            return np.zeros(len(hashes), dtype=np.bool_)
        return inside if high == 1 << 64 else inside & (hashes < np.uint64(high))


def _bounds(fractions: tuple[float, float, float]) -> tuple[int, int]:
    """Ends of train and of validation in 0 … 2**64, exact where a share is 0."""
    train, validation, test = (round(f * (1 << 64)) for f in fractions)
    return train, (1 << 64 if test == 0 else min(train + validation, 1 << 64))


def check_split(name: str) -> str:
    """``name`` itself if it is a split."""
    if argument.text("a split", name, hint="Splits: train, validation, test.") not in NAMES:
        raise InvalidInput(f"there is no split {name!r}.", hint="Splits: train, validation, test.")
    return name


def text_hashes(texts: Iterable[str], key: int) -> Hashes:
    """Keyed hashes of texts (ids, groups), ``uint64[n]``."""
    digest = xxhash.xxh3_64_intdigest
    return np.fromiter((digest(text.encode(), key) for text in texts), dtype=np.uint64)


def group_hashes(column: pa.ChunkedArray, own: Hashes, key: int) -> Hashes:
    """Hashes of a group column's values; a sample without a group stands for itself (``own``)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        texts = column.cast(pa.string())
    except pa.ArrowException as error:
        raise InvalidInput(
            f"a column of type {column.type} can't be a group: {error}", hint="Group by text or numbers."
        ) from error
    values = pc.unique(texts).drop_null()
    if len(values) == 0:
        return own
    hashes = text_hashes(values.to_pylist(), key)
    which = np.asarray(pc.fill_null(pc.index_in(texts, value_set=values), -1), dtype=np.int64)
    return np.where(which >= 0, hashes[which], own)
