"""What the layers above see of the store: bytes in and out, and the commit turn.

Nothing here says how or where. :class:`maruhub.store.store.PoolStore` keeps segments on
blades; :class:`maruhub.testing.memory_store.MemoryStore` is the trusted model that the
contract suite runs beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from maruhub.errors import MaruError
from maruhub.store.format.extent import Blob, Blobs, Extent, ExtentArray
from maruhub.store.format.row import Row, RowBatch
from maruhub.store.format.segment_class import SegmentClass

T = TypeVar("T")

Buffer = bytes | bytearray | memoryview
"""Contiguous bytes. The store has copied them when the call returns."""


class Rows(Protocol):
    """The state inside one change of the commit turn: read, decide, stage.

    Reads see everything committed before and what earlier changes of the same turn
    wrote; ``get`` and ``get_many`` see this change's own staged writes too, ``scan``
    does not. Nothing staged is kept when the change raises.
    """

    @property
    def counter(self) -> int:
        """This change's counter: unique, and higher than that of every earlier change."""

    @property
    def time_us(self) -> int:
        """Wall time of this change, microseconds since 1970: for people, never for rules."""

    @property
    def pool_time_us(self) -> int:
        """The pool clock, microseconds; rules (delays, retention) use only this."""

    def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        """The rows of ``keys``, in their order."""

    def scan(self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        """At most ``limit`` rows with ``start <= key < stop``, in (reverse) byte order."""

    def put(
        self,
        key: bytes,
        payload: bytes,
        *,
        extents: Sequence[Extent] = (),
        segments: Sequence[int] = (),
        snapshot: int = 0,
    ) -> None:
        """Stages a row. ``extents`` live while it does.

        ``segments`` are those into which the bytes of the row's own blob point (a manifest's
        fragment). What it points to was alive when the counter was ``snapshot``: the change
        is refused with Conflict if bytes of one of them have been left out since. Take the
        counter first (of a change that stages nothing), read then, commit last.
        """

    def remove(self, key: bytes) -> None:
        """Stages the removal of a row (no error if there is none)."""


Change = Callable[[Rows], T]
"""A pure decision: reads rows, stages writes, returns what the caller wants to know.

It runs inside the index's write transaction, perhaps more than once, on any thread: no
I/O, no locks, no store calls in it.
"""


class Proposal(NamedTuple, Generic[T]):
    """A change and who asks for it.

    Args:
        change: What is to be decided.
        actor: Whose name its rows bear.
        request: Names this very write in them, so that a retry can be told; at most 255 bytes.
    """

    change: Change[T]
    actor: str = ""
    request: bytes = b""


class Store(Protocol):
    """Keeps bytes and rows. Safe from many threads, and from many processes at once.

    Views handed out live as long as they are referenced, whatever happens to the pool.
    After a fork the store is usable in the child.
    """

    def append(self, blobs: Sequence[Buffer], segment_class: SegmentClass = SegmentClass.RAW) -> list[Blob]:
        """Writes blobs; their addresses count only once a committed row names them.

        A blob longer than 1 MiB becomes several extents. A longer object may be handed
        over in pieces and its extents joined; every piece but the last must be a
        multiple of 4 KiB. Raises NoSpace, ReadOnly, BladeLost.
        """

    def disclaim(self, extents: Iterable[Extent]) -> None:
        """Says of what ``append`` gave that no row will ever name it.

        A segment is sealed, and what is dead in it freed, only once nobody may name more of it:
        what is given up in silence keeps it from that for as long as this process lives. A
        change that names a disclaimed extent all the same may lose its bytes.
        """

    def commit(self, change: Change[T], *, actor: str = "", request: bytes = b"") -> T:
        """One change, through the commit turn; returns its result once it is durable.

        Whatever ``change`` raises is raised here and nothing of it is kept. All extents
        that the change names are durable too when this returns.
        """

    def commit_each(self, proposals: Sequence[Proposal[T]]) -> list[T | Exception]:
        """Several changes of one thread, each for itself; their results in order, or what each raised.

        Later ones see what earlier ones staged. One that raises leaves nothing, and the others as
        they are. Waits once for all of them, not once for each.
        """

    def get_many(self, keys: Sequence[bytes]) -> RowBatch:
        """Committed rows of ``keys`` (a sequence of ``Row | None``), in their order: one consistent moment."""

    def scan(self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        """At most ``limit`` committed rows with ``start <= key < stop``: one moment."""

    def read_many(self, blobs: Blobs, *, verify: bool = True) -> list[memoryview | MaruError]:
        """The bytes of blobs, in order: read-only views, or the error of that one blob.

        With ``verify`` every extent's sum is checked in this call, and a bad or missing
        copy is read from another.
        """

    def announce(self, extents: ExtentArray) -> None:
        """Says that ``EXTENT_DTYPE[n]`` will be read soon; starts reading ahead."""

    def pool_time_us(self) -> int:
        """The pool clock now, microseconds."""

    @property
    def bulk_bytes(self) -> int:
        """So much in one append goes straight into its last form, written once; 0: nothing does."""

    @property
    def pool_id(self) -> bytes:
        """16 random bytes, the same on every blade, for ever."""

    @property
    def split_key(self) -> int:
        """The pool's 64-bit key of the train/validation/test hash."""

    def close(self) -> None:
        """Closes this process's logs so that another writer can adopt them at once."""


def get(reader: Store | Rows, key: bytes) -> Row | None:
    """The row of one key."""
    return reader.get_many([key])[0]


def read(store: Store, blob: Blob, *, verify: bool = True) -> memoryview:
    """The bytes of one blob; raises its error."""
    result = store.read_many(Blobs.of([blob]), verify=verify)[0]
    if isinstance(result, MaruError):
        raise result
    return result


def scan_all(reader: Store | Rows, start: bytes, stop: bytes, *, page: int = 1000) -> Iterable[Row]:
    """All rows of a range, a page a transaction; rows may change between pages."""
    while rows := reader.scan(start, stop, page):
        yield from rows
        if len(rows) < page:
            return
        start = rows[-1].key + b"\0"


def prefix_end(prefix: bytes) -> bytes:
    """The first key after all keys with ``prefix``: the ``stop`` of its scan."""
    trimmed = prefix.rstrip(b"\xff")
    assert trimmed, "a prefix of 0xff bytes alone has no end"
    return trimmed[:-1] + bytes([trimmed[-1] + 1])
