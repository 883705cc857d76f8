"""Reports that were kept are read again, and what is none is refused or passed over."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

import pytest

from maruhub.errors import Corrupt, InvalidInput
from maruhub.gateway.batch.calls import buckets
from maruhub.gateway.batch.fields import Fields
from maruhub.ingest import Report, Reports
from maruhub.store.format.segment_class import SegmentClass

FLAWS = [
    {"source": 3},
    {"bucket": None},
    {"prefix": ["p"]},
    {"stopped": 1},
    {"complete": 1},
    {"stored": "many"},
    {"stored": True},
    {"unchanged": -1},
    {"bytes_read": 1.5},
    {"started_us": "today"},
    {"started_us": 1 << 63},
    {"seconds": "1"},
    {"seconds": float("nan")},
    {"seconds": -1},
    {"refused_count": [1]},
    {"refused_count": {"special": "1"}},
    {"refused": 3},
    {"refused": ["pipe"]},
    {"refused": [{"name": "pipe", "reason": 3, "message": ""}]},
    {"refused": [{"name": "pipe", "reason": "special", "message": "", "more": ""}]},
]


@pytest.fixture
def report(land: Any, tree: Any) -> Report:
    tree.write({"a": b"a"})
    os.mkfifo(tree.path / "pipe")
    return land(tree.path)


@pytest.mark.parametrize("flaw", FLAWS, ids=str)
def test_a_field_of_another_kind_is_no_report(report: Report, ns: Any, flaw: dict[str, Any]) -> None:
    assert Report.from_json(report.to_json()) == report
    told = {**report.as_dict(), **flaw}
    with pytest.raises(Corrupt, match="can't be read"):
        Report.from_json(json.dumps(told))
    hub: Any = type("Hub", (), {"namespace": ns})
    fields = Fields({"bucket": "photos", "report": told}, "the arguments")
    with pytest.raises(InvalidInput):
        buckets.keep_report(hub, fields, lambda *_: True)
    assert Reports(ns).all() == [report]


def test_one_that_cannot_be_read_does_not_hide_the_others(report: Report, ns: Any) -> None:
    reports = Reports(ns)
    newer = replace(report, prefix="new", started_us=report.started_us + 1)
    reports.keep(newer)
    (blob,) = ns.store.append([b'{"source": 3}'], SegmentClass.META)
    for at, payload in enumerate((b"\x01", b"\x02")):
        ns.store.commit(
            lambda rows, at=at, payload=payload: rows.put(b"I" + bytes([at]) * 16, payload, extents=blob)
        )
    assert reports.all() == [newer, report]
