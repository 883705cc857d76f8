"""The table of calls: names, what does them, what they need, what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maruhub.errors import InvalidInput
from maruhub.gateway.batch import bucket_calls, dataset_calls, epoch_calls, run_calls, upload_calls
from maruhub.gateway.batch.courses import Courses
from maruhub.gateway.batch.fields import Fields
from maruhub.gateway.batch.rights import Allowed
from maruhub.gateway.batch.sources import Sources

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
    views = dataset_calls.ViewCalls(sources)
    return {
        "bucket.names": Call(bucket_calls.names),
        "bucket.page": Call(bucket_calls.page),
        "bucket.stat": Call(bucket_calls.stat),
        "bucket.delete": Call(bucket_calls.delete),
        "bucket.copy": Call(bucket_calls.copy),
        "bucket.copy_all": Call(bucket_calls.copy_all),
        "bucket.undelete": Call(bucket_calls.undelete),
        "bucket.retain": Call(bucket_calls.retain),
        "bucket.create": Call(bucket_calls.create),
        "bucket.update": Call(bucket_calls.update),
        "bucket.keep_report": Call(bucket_calls.keep_report),
        "bucket.history": Call(bucket_calls.history),
        "dataset.names": Call(dataset_calls.names),
        "dataset.versions": Call(dataset_calls.versions),
        "dataset.info": Call(dataset_calls.info),
        "dataset.commit": Call(dataset_calls.commit),
        "dataset.label": Call(dataset_calls.label),
        "dataset.label_sets": Call(dataset_calls.label_sets),
        "dataset.diff": Call(views.diff),
        "dataset.retain": Call(dataset_calls.retain),
        "dataset.drop_all": Call(dataset_calls.drop_all),
        "dataset.undrop_all": Call(dataset_calls.undrop_all),
        "dataset.tag": Call(dataset_calls.tag),
        "dataset.untag": Call(dataset_calls.untag),
        "dataset.drop": Call(dataset_calls.drop),
        "dataset.undrop": Call(dataset_calls.undrop),
        "dataset.set_split": Call(dataset_calls.set_split),
        "epoch.size": Call(epoch_calls.Epochs(courses).size),
        "run.start": Call(run_calls.start),
        "run.page": Call(run_calls.page),
        "run.end": Call(run_calls.end),
        "run.claim": Call(run_calls.claim),
        "run.claims": Call(run_calls.claims),
        "run.add_points": Call(run_calls.add_points),
        "run.points": Call(run_calls.points),
        "run.scores": Call(run_calls.scores),
        "run.evaluate": Call(run_calls.Evaluations(sources).evaluate),
        "upload.begin": Call(upload_calls.begin),
        "upload.complete": Call(upload_calls.complete),
        "upload.abort": Call(upload_calls.abort),
        "view.open": Call(views.open),
        "view.table": Call(views.table, is_table=True),
        "view.save": Call(views.save),
        "sql": Call(dataset_calls.sql, is_table=True),
    }


def find(calls: Mapping[str, Call], name: str) -> Call:
    """The call of that name; InvalidInput."""
    call = calls.get(name)
    if call is None:
        raise InvalidInput(f"there is no call {name[:80]!r}.", hint=f"Calls: {', '.join(calls)}.")
    return call
