"""Label sets and their revisions, as a list shows them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from maruhub.catalog.ledger import Ledger
from maruhub.catalog.row import LabelRow


@dataclass(frozen=True, slots=True)
class LabelRevision:
    """One state of a label set: who brought it, when, from what, into which version."""

    name: str
    revision: int
    version: int
    columns: dict[str, str]
    by: str
    source: str
    matched: int
    unmatched: int
    unlabelled: int
    actor: str
    created: datetime.datetime
    message: str


def label_revisions(ledger: Ledger, dataset: str) -> list[LabelRevision]:
    """All revisions of all label sets of a dataset, by set and revision."""
    found = []
    for name, revision, row in ledger.label_rows(dataset):
        payload = LabelRow.decode(row)
        found.append(
            LabelRevision(
                name=name,
                revision=revision,
                version=payload.version,
                columns=payload.columns,
                by=payload.by,
                source=payload.source,
                matched=payload.matched,
                unmatched=payload.unmatched,
                unlabelled=payload.unlabelled,
                actor=row.actor,
                created=datetime.datetime.fromtimestamp(row.time_us / 1e6, tz=datetime.UTC),
                message=payload.message,
            )
        )
    return found
