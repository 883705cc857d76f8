"""Joining labels to the samples of a version: new columns, no byte of a sample moved.

A label set is a column group of its own. Its next revision replaces it: rows that the file
names get the file's values, nulls too, and all others keep what they had. Rows of the file
without a sample are reported and not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from maruhub.catalog.commit import ATTEMPTS
from maruhub.catalog.labels.file import LabelFile
from maruhub.catalog.labels.merge import merge
from maruhub.catalog.line import Line
from maruhub.catalog.manifests.draft import Draft, GroupWriter, columns_of, digest_of, removal_bits
from maruhub.catalog.manifests.manifest import Manifest
from maruhub.catalog.manifests.root import LABELS, Group, Root
from maruhub.catalog.name import LATEST
from maruhub.catalog.row import LabelRow
from maruhub.catalog.source import parse_sources
from maruhub.catalog.version import Version
from maruhub.errors import Busy, InvalidData, InvalidInput
from maruhub.store.protocol import Store

if TYPE_CHECKING:
    import pyarrow as pa

UNMATCHED_MAX = 1000
"""Keys without a sample that a report lists; ``unmatched_count`` counts all."""


@dataclass(frozen=True, slots=True)
class LabelReport:
    """What a label file did.

    ``matched`` and ``unlabelled`` count live samples with and without a row in the file;
    ``bytes_written`` is all that the revision appended to the hub, its root included.
    """

    version: Version
    matched: int
    unlabelled: int
    unmatched: list[str] = field(default_factory=list)
    unmatched_count: int = 0
    bytes_written: int = 0


@dataclass(frozen=True, slots=True)
class Join:
    """Which row of the file each position takes (``int64[positions]``, -1: none)."""

    rows: np.ndarray[tuple[int], np.dtype[np.int64]]
    matched: int
    unmatched: list[str]
    unmatched_count: int


def join(manifest: Manifest, labels: LabelFile, buckets: Sequence[str]) -> Join:
    """Finds each live sample's row of the file; InvalidData if none has one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = np.full(manifest.root.positions, -1, dtype=np.int64)
    for keys in _candidates(labels, buckets):
        found = pc.index_in(_samples(manifest, labels.by), value_set=keys)
        rows = np.maximum(rows, np.asarray(pc.fill_null(found, -1), dtype=np.int64))
    if manifest.removed is not None:
        rows[manifest.removed] = -1
    used = np.zeros(len(labels.keys), dtype=np.bool_)
    used[rows[rows >= 0]] = True
    missing = np.flatnonzero(~used)
    listed = labels.keys.take(pa.array(missing[:UNMATCHED_MAX])).to_pylist()
    matched = int((rows >= 0).sum())
    if not matched:
        raise _nothing_matched(manifest, labels, listed)
    return Join(rows, matched, listed, len(missing))


def _candidates(labels: LabelFile, buckets: Sequence[str]) -> list[pa.Array]:
    """The file's keys as what samples are compared with: ids, or digests as bytes."""
    import pyarrow.compute as pc

    keys = labels.keys.combine_chunks()
    if labels.by == "id":
        return [keys]
    if labels.by == "key":
        return [pc.binary_join_element_wise(bucket, keys, "/") for bucket in buckets]
    return [_digests(labels.source, keys)]


def _digests(source: str, keys: pa.Array) -> pa.Array:
    """Texts of 64 hex digits as ``binary(32)``, in one go for all of them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    fits = np.asarray(pc.equal(pc.binary_length(keys), 64), dtype=np.bool_)
    if not fits.all():
        raise _no_digest(source, keys[int(np.argmin(fits))].as_py())
    _, offsets, data = keys.buffers()
    start = int(np.frombuffer(offsets, dtype=np.int32)[keys.offset]) if len(keys) else 0
    digits = _DIGIT[np.frombuffer(data or b"", dtype=np.uint8)[start : start + 64 * len(keys)]]
    digits = digits.reshape(-1, 32, 2)
    bad = (digits > 15).any(axis=(1, 2))
    if bad.any():
        raise _no_digest(source, keys[int(np.argmax(bad))].as_py())
    raw = np.ascontiguousarray(digits[..., 0] << 4 | digits[..., 1])
    return pa.Array.from_buffers(pa.binary(32), len(keys), [None, pa.py_buffer(raw)])


_DIGIT = np.full(256, 255, dtype=np.uint8)
"""The value of each hex digit by its byte; 255 for what is none."""
for _digit in b"0123456789abcdefABCDEF":
    _DIGIT[_digit] = int(chr(_digit), 16)


def _no_digest(source: str, text: str) -> InvalidData:
    return InvalidData(f"{source}: {text!r:.80} is not a SHA-256 digest.", hint="Give 64 hex digits.")


def _samples(manifest: Manifest, by: str) -> pa.ChunkedArray:
    return manifest.column("sha256" if by == "digest" else "id")


def _nothing_matched(manifest: Manifest, labels: LabelFile, listed: list[str]) -> InvalidData:
    sample = manifest.ids(np.zeros(1, dtype=np.int64))[0] if manifest.root.positions else "(none)"
    first = listed[0] if listed else "(none)"
    return InvalidData(
        f"{labels.source}: no row belongs to a sample of {manifest.root.dataset}: "
        f"its {labels.by} are like {first!r}, samples are like {sample!r}.",
        hint="`key` is the key in the bucket, `id` is bucket/key, `digest` the SHA-256.",
    )


def revise(line: Line, labels: LabelFile, name: str, message: str) -> LabelReport:
    """Publishes a revision of label set ``name``; see ``Dataset.label``."""
    for _ in range(ATTEMPTS):
        seen = line.known()
        before = line.latest(seen) or line.get(LATEST)
        buckets = list(dict.fromkeys(source.bucket for source in parse_sources(before.info.sources)))
        joined = join(before.manifest, labels, buckets)
        draft = label_draft(
            line.ns.store,
            before.manifest,
            labels,
            joined,
            name=name,
            revision=_next_revision(line, name),
            number=seen.head + 1,
            message=message,
        )
        draft.sources = before.info.sources
        if draft.digest == before.digest:
            draft.disclaim(line.ns.store)
            return _report(before, joined, 0)
        row = line.ledger.publish(draft, seen)
        if row is not None:
            return _report(line.open(row, is_new=True), joined, draft.appended_bytes)
    raise Busy(f"others keep committing to {line.name}.", hint="Try again.")


def _next_revision(line: Line, name: str) -> int:
    """Behind every revision there was, also of versions that were dropped: a row is never reused."""
    return 1 + max(
        (number for known, number, _ in line.ledger.label_rows(line.name) if known == name), default=0
    )


def _report(version: Version, joined: Join, bytes_written: int) -> LabelReport:
    return LabelReport(
        version=version,
        matched=joined.matched,
        unlabelled=len(version) - joined.matched,
        unmatched=joined.unmatched,
        unmatched_count=joined.unmatched_count,
        bytes_written=bytes_written,
    )


def label_draft(
    store: Store,
    manifest: Manifest,
    labels: LabelFile,
    joined: Join,
    *,
    name: str,
    revision: int,
    number: int,
    message: str,
) -> Draft:
    """Version ``number``: the same samples, one label set replaced or added."""
    writer = GroupWriter(store)
    old = next((g for g in manifest.groups if g.group.kind == LABELS and g.group.name == name), None)
    _check_clashes(manifest, labels, name)
    table = merge(manifest.root.positions, labels, joined.rows, old)
    with writer.drafting():
        pieces = tuple(writer.write(LABELS, table))
    group = Group(LABELS, columns_of(table), pieces, name, revision, labels.by)
    kept = [g for g in manifest.root.groups if not (g.kind == LABELS and g.name == name)]
    # A set keeps its place, so that a revision changes no other column's order.
    place = manifest.root.groups.index(old.group) if old else len(kept)
    groups = (*kept[:place], group, *kept[place:])
    root = replace(manifest.root, version=number, groups=groups)
    draft = Draft(root, _digest(manifest, root, table, group), writer.fragments)
    draft.message = message
    draft.labels = (name, revision, _label_row(draft, group, labels, joined))
    return draft


def _label_row(draft: Draft, group: Group, labels: LabelFile, joined: Join) -> LabelRow:
    return LabelRow(
        version=draft.root.version,
        by=labels.by,
        source=labels.source,
        columns={column.name: column.type for column in group.columns},
        matched=joined.matched,
        unmatched=joined.unmatched_count,
        unlabelled=draft.root.rows - joined.matched,
        message=draft.message,
    )


def _digest(manifest: Manifest, root: Root, table: pa.Table, changed: Group) -> str:
    def column(group: Group, name: str) -> Iterable[Any]:
        chunks: Iterable[Any] = (table if group is changed else manifest).column(name).chunks
        return chunks

    return digest_of(root.groups, column, removal_bits(manifest.removed), root.positions)


def _check_clashes(manifest: Manifest, labels: LabelFile, name: str) -> None:
    for group in manifest.groups:
        if group.group.kind == LABELS and group.group.name == name:
            continue
        taken = {column.casefold(): column for column in group.names}
        for column in labels.columns.column_names:
            if column.casefold() in taken:
                raise _clash(column, taken[column.casefold()], group.group)


def _clash(column: str, taken: str, group: Group) -> InvalidInput:
    owner = {"base": "every sample", "attributes": "the objects' own metadata"}.get(group.kind)
    hint, python_hint = "Rename it in the file.", f"rename={{{column!r}: 'another name'}} renames it."
    if owner is None:
        owner = f"label set {group.name!r}"
        hint += f" Or revise that label set: --name {group.name}."
        python_hint += f" Or revise that label set: name={group.name!r}."
    return InvalidInput(f"column {taken!r} belongs to {owner}.", hint=hint, python_hint=python_hint)
