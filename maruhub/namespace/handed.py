"""Objects as a caller hands them to a bucket, here or elsewhere, and as a bucket's listing hands them out."""

from __future__ import annotations

import itertools
import sys
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from maruhub import argument
from maruhub.namespace.put import PutItem
from maruhub.store.protocol import Buffer

T = TypeVar("T")


def items_of(given: Mapping[str, Buffer] | Iterable[tuple[str, Buffer]]) -> list[PutItem]:
    """Those of a dict from key to bytes, or of pairs; InvalidInput for anything else."""
    pairs = given.items() if isinstance(given, Mapping) else given
    try:
        return [PutItem(key, data) for key, data in pairs]
    except (TypeError, ValueError):
        raise argument.wrong("items", given, "a dict from key to bytes, or pairs of them") from None


def checked_items(given: object) -> list[PutItem]:
    """Items that may come one by one, each looked at; InvalidInput for anything else."""
    if not isinstance(given, Iterable):
        raise argument.wrong("items", given, "a list of PutItem")
    found = []
    for item in given:
        if not isinstance(item, PutItem):
            raise argument.wrong("each of items", item, "a PutItem", hint="Or use put_many({key: data}).")
        argument.text("a key", item.key)
        found.append(item)
    return found


class Listed(Generic[T]):
    """What a listing gives, read a page at a time while you iterate; iterating again reads again."""

    @abstractmethod
    def __iter__(self) -> Iterator[T]:
        """All of it, in order."""

    @abstractmethod
    def __len__(self) -> int:
        """Walks all pages."""

    def __getitem__(self, index: int) -> T:
        """Walks to the one at a place; IndexError."""
        index = argument.whole("a place in a listing", index, low=-sys.maxsize, high=sys.maxsize)
        if index < 0:
            return list(self)[index]
        found = list(itertools.islice(self, index, index + 1))
        if not found:
            raise IndexError(f"the listing has no object number {index}: it has {len(self)}.")
        return found[0]
