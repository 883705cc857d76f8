"""The table of calls: names, what does them, what they need, what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maruhub.errors import InvalidInput
from maruhub.gateway.batch.calls import buckets, datasets, epochs, runs, uploads, views
from maruhub.gateway.batch.fields import Fields
from maruhub.gateway.batch.opened.courses import Courses
from maruhub.gateway.batch.opened.sources import Sources
from maruhub.gateway.batch.rights import Allowed

if TYPE_CHECKING:
    from maruhub.api.hub import Hub

Act = Callable[["Hub", Fields, Allowed], Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A call; one whose answer is a table says so with ``is_table``."""

    act: Act
    is_table: bool = False


def calls_of(sources: Sources, courses: Courses) -> Mapping[str, Call]:
    """All calls by name; each stands in ``docs/format-batch.md``."""
    on_views = views.Views(sources)
    return {
        "bucket.names": Call(buckets.names),
        "bucket.page": Call(buckets.page),
        "bucket.stat": Call(buckets.stat),
        "bucket.delete": Call(buckets.delete),
        "bucket.copy": Call(buckets.copy),
        "bucket.copy_all": Call(buckets.copy_all),
        "bucket.undelete": Call(buckets.undelete),
        "bucket.retain": Call(buckets.retain),
        "bucket.create": Call(buckets.create),
        "bucket.update": Call(buckets.update),
        "bucket.keep_report": Call(buckets.keep_report),
        "bucket.history": Call(buckets.history),
        "dataset.names": Call(datasets.names),
        "dataset.versions": Call(datasets.versions),
        "dataset.info": Call(datasets.info),
        "dataset.commit": Call(datasets.commit),
        "dataset.label": Call(datasets.label),
        "dataset.label_sets": Call(datasets.label_sets),
        "dataset.diff": Call(on_views.diff),
        "dataset.retain": Call(datasets.retain),
        "dataset.drop_all": Call(datasets.drop_all),
        "dataset.undrop_all": Call(datasets.undrop_all),
        "dataset.tag": Call(datasets.tag),
        "dataset.untag": Call(datasets.untag),
        "dataset.drop": Call(datasets.drop),
        "dataset.undrop": Call(datasets.undrop),
        "dataset.set_split": Call(datasets.set_split),
        "epoch.size": Call(epochs.Epochs(courses).size),
        "run.start": Call(runs.start),
        "run.page": Call(runs.page),
        "run.end": Call(runs.end),
        "run.claim": Call(runs.claim),
        "run.claims": Call(runs.claims),
        "run.add_points": Call(runs.add_points),
        "run.points": Call(runs.points),
        "run.scores": Call(runs.scores),
        "run.evaluate": Call(runs.Evaluations(sources).evaluate),
        "upload.begin": Call(uploads.begin),
        "upload.complete": Call(uploads.complete),
        "upload.abort": Call(uploads.abort),
        "view.open": Call(on_views.open),
        "view.table": Call(on_views.table, is_table=True),
        "view.save": Call(on_views.save),
        "sql": Call(datasets.sql, is_table=True),
    }


def find(calls: Mapping[str, Call], name: str) -> Call:
    """The call of that name; InvalidInput."""
    call = calls.get(name)
    if call is None:
        raise InvalidInput(f"there is no call {name[:80]!r}.", hint=f"Calls: {', '.join(calls)}.")
    return call
