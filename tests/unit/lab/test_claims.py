"""Claims only grow: none that comes late, or after the end of the run, takes anything back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maruhub.errors import Refused
from maruhub.lab import ledger as module
from maruhub.lab.claim import Claim
from maruhub.lab.ledger import StoreLedger
from maruhub.lab.reads import Reads, Span
from maruhub.lab.row import claim_key, encode
from maruhub.store.protocol import Store
from tests.unit.lab.fakes import FakeView, make_lab, samples

FIRST, SECOND = "a" * 16, "b" * 16


@pytest.fixture
def run(store: Store) -> str:
    lab, catalog = make_lab(store)
    return lab.runs.start(FakeView(catalog, samples(0, 100)), name="r").id


@pytest.fixture
def ledger(store: Store) -> StoreLedger:
    return StoreLedger(store)


def claim(stop: int, number: int, *, exact: bool = True, epochs: int = 1) -> Claim:
    return Claim("d", "train", exact, Reads(100, [Span(1, 0, epochs - 1, 0, stop)]), number)


def spans(ledger: StoreLedger, run: str) -> list[list[Span]]:
    return [each.reads.spans() for each in ledger.claims(run)]


def test_a_claim_that_comes_late_is_ignored(ledger: StoreLedger, run: str) -> None:
    ledger.claim(run, FIRST, claim(80, 2))
    ledger.claim(run, FIRST, claim(40, 1))
    ledger.claim(run, FIRST, claim(20, 2))
    assert spans(ledger, run) == [[Span(1, 0, 0, 0, 80)]]
    ledger.claim(run, SECOND, claim(10, 1))  # another recorder counts for itself
    ledger.claim(run, FIRST, claim(60, 3))
    assert spans(ledger, run) == [[Span(1, 0, 0, 0, 60)], [Span(1, 0, 0, 0, 10)]]


def test_a_row_without_a_number_is_followed_by_any(store: Store, ledger: StoreLedger, run: str) -> None:
    old = {name: value for name, value in claim(80, 0).payload().items() if name != "number"}
    store.commit(lambda rows: rows.put(claim_key(run, FIRST), encode(old)))
    assert [each.number for each in ledger.claims(run)] == [0]
    ledger.claim(run, FIRST, claim(40, 1))
    assert spans(ledger, run) == [[Span(1, 0, 0, 0, 40)]]


def test_after_the_end_a_claim_only_adds(ledger: StoreLedger, run: str) -> None:
    ledger.claim(run, FIRST, claim(80, 1))
    ledger.end(run, "finished", "")
    ledger.claim(run, FIRST, claim(10, 2))
    assert [(each.exact, each.reads.spans()) for each in ledger.claims(run)] == [
        (True, [Span(1, 0, 0, 0, 80)])
    ]
    ledger.claim(run, FIRST, replace(claim(0, 3), reads=Reads(100, [Span(1, 0, 0, 90, 95)])))
    ledger.claim(run, SECOND, claim(5, 1))
    first, second = ledger.claims(run)
    assert (first.exact, first.reads.spans()) == (False, [Span(1, 0, 0, 0, 80), Span(1, 0, 0, 90, 95)])
    assert (second.exact, second.reads.spans()) == (False, [Span(1, 0, 0, 0, 5)])


def test_a_recorder_keeps_to_its_view(ledger: StoreLedger, run: str) -> None:
    ledger.claim(run, FIRST, claim(80, 1))
    with pytest.raises(Refused, match="recorder is of view d"):
        ledger.claim(run, FIRST, replace(claim(80, 2), view="e"))
    assert [each.view for each in ledger.claims(run)] == ["d"]


def test_all_claims_of_a_run_are_bounded_together(
    ledger: StoreLedger, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLAIMED_MAX", 10)
    ledger.claim(run, FIRST, claim(80, 1, epochs=9))
    ledger.claim(run, SECOND, claim(80, 1))
    with pytest.raises(Refused, match="more than 10 epochs"):
        ledger.claim(run, "c" * 16, Claim("d", "train", True, Reads(100), 1))  # an empty one is one too
    ledger.claim(run, FIRST, claim(80, 2, epochs=2))  # what is trimmed makes room
    ledger.claim(run, "c" * 16, claim(80, 1, epochs=7))
    with pytest.raises(Refused):
        ledger.claim(run, SECOND, claim(80, 2, epochs=2))
    ledger.end(run, "failed", "")
    assert ledger.info(run).state == "failed"  # type: ignore[union-attr]


def test_a_run_is_started_once(ledger: StoreLedger, run: str) -> None:
    info = ledger.info(run)
    assert info is not None
    ledger.end(run, "finished", "")
    again = ledger.start(replace(info, parameters={"rate": 1}))
    assert (again.state, again.parameters) == ("finished", {})
    for other in (replace(info, name="s"), replace(info, actor="bob"), replace(info, view="e")):
        with pytest.raises(Refused, match="already"):
            ledger.start(other)
    assert ledger.info(run) == again
