"""Reading everything that rows name, from every copy, and saying which names are hurt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from maruhub.store.format.extent import Extent
from maruhub.store.protocol import scan_all
from maruhub.store.recover.report import RecoveryReport
from maruhub.store.store import PoolStore

_EXTENTS_A_ROUND: Final = 20_000
_NAMES_MAX: Final = 1000
_FIRST_KEY: Final = b"\x02"
_LAST_KEY: Final = b"\xff"


@dataclass
class CheckReport:
    """What a check found.

    ``bad_copies``: per blade id, how many extents are wrong or missing there although
    another copy is right; ``lost``: rows that name bytes of which no copy is right;
    ``recounted``: buckets whose counts were wrong, and were put right.
    """

    rows: int = 0
    extents: int = 0
    bytes_read: int = 0
    bad_copies: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    rebuilt: RecoveryReport | None = None
    recounted: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every copy of everything is right."""
        return not self.bad_copies and not self.lost

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``--json``."""
        return {**asdict(self), "ok": self.ok}


def check(
    store: PoolStore,
    *,
    name_row: Callable[[bytes], str],
    progress: Callable[[int], None] | None = None,
) -> CheckReport:
    """Verifies every copy of every extent that a row names.

    Args:
        store: The pool's store.
        name_row: A row's key as people name it (``maru://bucket/key``).
        progress: Hears of the bytes read so far.
    """
    report = CheckReport()
    for owners in _rounds(store, report):
        result = store.audit(sorted(owners))
        report.extents += result.extents
        report.bytes_read += result.size_bytes
        for bad in result.bad:
            blade = bad.blade_id.hex()
            report.bad_copies[blade] = report.bad_copies.get(blade, 0) + 1
        names = {name_row(owners[extent]) for extent in result.lost}
        report.lost += sorted(names - set(report.lost))[: _NAMES_MAX - len(report.lost)]
        if progress:
            progress(report.bytes_read)
    return report


def _rounds(store: PoolStore, report: CheckReport) -> Iterator[dict[Extent, bytes]]:
    """Extents with a row that owns them, some thousands at a time."""
    owners: dict[Extent, bytes] = {}
    for row in scan_all(store, _FIRST_KEY, _LAST_KEY):
        report.rows += 1
        owners.update(dict.fromkeys(row.extents, row.key))
        if len(owners) >= _EXTENTS_A_ROUND:
            yield owners
            owners = {}
    if owners:
        yield owners
