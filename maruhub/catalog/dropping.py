"""Dropping versions and bringing them back: decisions inside one change of the commit turn.

A drop hides. The version's row stays with who made it and when, and keeps its extents; it
says until when, on the pool's clock, the version can be brought back at least.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from maruhub import argument
from maruhub.catalog import row as rows_of
from maruhub.catalog.row import DatasetRow, VersionRow
from maruhub.errors import NoSuchDataset, NoSuchVersion, Refused
from maruhub.namespace.retention import Term, wall_moment
from maruhub.store.format.row import Row
from maruhub.store.protocol import Rows, get, prefix_end, scan_all

DELAY_S: Final = 86_400.0
"""Eradication delay of a dropped version, unless a longer one is given."""


_LISTED: Final = "`maru versions` (hub.datasets(), dataset.versions()) lists what there is."
DELAY_S_MAX: Final = 100 * 365.25 * DELAY_S


def check_delay(delay_s: float) -> float:
    """A drop's delay: the default or longer; raises Refused."""
    if isinstance(delay_s, bool) or not isinstance(delay_s, int | float):
        raise argument.wrong("delay_s", delay_s, "a number of seconds")
    if not DELAY_S <= delay_s <= DELAY_S_MAX:
        raise Refused(
            f"a dropped version stays restorable for {DELAY_S:.0f} s at least, and {DELAY_S_MAX:.0f} s at most.",
            hint="Give such a delay_s.",
        )
    return delay_s


def drop(rows: Rows, dataset: str, number: int, delay_s: float) -> None:
    """Hides one version; NoSuchVersion if it is hidden already, Refused while it is retained."""
    row, payload = live_version(rows, dataset, number)
    _check_free(rows, dataset, number, payload)
    _hide(rows, row, payload, delay_s)
    if _dataset(rows, dataset).latest == number:
        _put_latest(rows, dataset, _highest_below(rows, dataset, number))


def drop_all(rows: Rows, dataset: str, delay_s: float) -> list[int]:
    """Hides every version; the numbers of those that were not hidden before. Refused if one is retained."""
    live = [(row, payload) for row, payload in _versions(rows, dataset) if not payload.dropped_us]
    for row, payload in live:
        _check_free(rows, dataset, rows_of.version_of_key(row.key), payload)
    for row, payload in live:
        _hide(rows, row, payload, delay_s)
    _put_latest(rows, dataset, 0)
    return [rows_of.version_of_key(row.key) for row, _ in live]


def undrop(rows: Rows, dataset: str, number: int) -> None:
    """Brings one version back, if it is hidden."""
    row = get(rows, rows_of.version_key(dataset, number))
    if row is None:
        raise NoSuchVersion(f"{dataset}@v{number} does not exist.", hint=_LISTED)
    payload = VersionRow.decode(row)
    if payload.dropped_us:
        _show(rows, row, payload)
        _put_latest(rows, dataset, max(_dataset(rows, dataset).latest, number))


def undrop_all(rows: Rows, dataset: str) -> list[int]:
    """Brings every hidden version back; their numbers."""
    known = _versions(rows, dataset)
    hidden = [(row, payload) for row, payload in known if payload.dropped_us]
    for row, payload in hidden:
        _show(rows, row, payload)
    _put_latest(rows, dataset, rows_of.version_of_key(known[-1][0].key) if known else 0)
    return [rows_of.version_of_key(row.key) for row, _ in hidden]


def live_version(rows: Rows, dataset: str, number: int) -> tuple[Row, VersionRow]:
    """A version that is not hidden; NoSuchVersion."""
    row = get(rows, rows_of.version_key(dataset, number))
    if row is None:
        raise NoSuchVersion(f"{dataset}@v{number} does not exist.", hint=_LISTED)
    payload = VersionRow.decode(row)
    if payload.dropped_us:
        raise NoSuchVersion(
            f"{dataset}@v{number} was dropped.",
            hint=f"`maru drop {dataset}@v{number} --undo` (undrop) brings it back.",
        )
    return row, payload


def stays(rows: Rows, dataset: str, basis: int) -> bool:
    """Whether the version that a draft shares fragments with is still kept (0: it has none)."""
    row = get(rows, rows_of.version_key(dataset, basis)) if basis else None
    if row is None:
        return not basis
    payload = VersionRow.decode(row)
    return not payload.dropped_us or payload.eradicate_us > rows.pool_time_us


RETAIN: Final = "retain_until_us"
"""In rows D and M: pool time before which nobody may drop or free it."""


def retained_until(payload: DatasetRow | VersionRow) -> int:
    """Pool time until which a dataset or a version is retained, 0 if it is not."""
    return int(payload.more.get(RETAIN, 0))


def retain(rows: Rows, dataset: str, number: int | None, term: Term) -> int:
    """Retains a version (None: the dataset, with every version of it) until a term's end at least.

    Returns the pool time until which it holds: the longest term ever set. A version that was
    dropped can't be retained alone: NoSuchVersion.
    """
    until_us = term.pool_us(rows)
    if number is None:
        line = _dataset(rows, dataset)
        until_us = max(until_us, retained_until(line))
        if until_us > retained_until(line):
            rows.put(
                rows_of.dataset_key(dataset), replace(line, more=line.more | {RETAIN: until_us}).encode()
            )
        return until_us
    row, payload = live_version(rows, dataset, number)
    until_us = max(until_us, retained_until(payload))
    if until_us > retained_until(payload):
        kept = replace(
            payload,
            by=payload.by if payload.at_us else row.actor,
            at_us=payload.at_us or row.time_us,
            more=payload.more | {RETAIN: until_us},
        )
        rows.put(row.key, kept.encode(), extents=row.extents)
    return until_us


def _check_free(rows: Rows, dataset: str, number: int, payload: VersionRow) -> None:
    until_us = max(retained_until(payload), retained_until(_dataset(rows, dataset)))
    if until_us > rows.pool_time_us:
        raise Refused(
            f"{dataset}@v{number} is retained until {wall_moment(until_us, rows.pool_time_us)} at least.",
            hint="Nobody can end a retention early.",
        )


def _hide(rows: Rows, row: Row, payload: VersionRow, delay_s: float) -> None:
    dropped = replace(
        payload,
        by=payload.by if payload.at_us else row.actor,
        at_us=payload.at_us or row.time_us,
        dropped_us=rows.time_us,
        eradicate_us=rows.pool_time_us + int(delay_s * 1e6),
    )
    rows.put(row.key, dropped.encode(), extents=row.extents)


def _show(rows: Rows, row: Row, payload: VersionRow) -> None:
    back = replace(payload, dropped_us=0, eradicate_us=0)
    rows.put(row.key, back.encode(), extents=row.extents)


def _versions(rows: Rows, dataset: str) -> list[tuple[Row, VersionRow]]:
    prefix = rows_of.versions_prefix(dataset)
    return [(row, VersionRow.decode(row)) for row in scan_all(rows, prefix, prefix_end(prefix))]


def _dataset(rows: Rows, dataset: str) -> DatasetRow:
    row = get(rows, rows_of.dataset_key(dataset))
    if row is None:
        raise NoSuchDataset(f"there is no dataset {dataset!r}.", hint=_LISTED)
    return DatasetRow.decode(row)


def _put_latest(rows: Rows, dataset: str, latest: int) -> None:
    now = _dataset(rows, dataset)
    if latest != now.latest:
        rows.put(rows_of.dataset_key(dataset), replace(now, latest=latest).encode())


def _highest_below(rows: Rows, dataset: str, number: int) -> int:
    start, stop = rows_of.versions_prefix(dataset), rows_of.version_key(dataset, number)
    while found := rows.scan(start, stop, 100, reverse=True):
        for row in found:
            if not VersionRow.decode(row).dropped_us:
                return rows_of.version_of_key(row.key)
        stop = found[-1].key
    return 0
