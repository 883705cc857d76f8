"""Nothing live is ever freed, in any order of so many steps; and each safeguard is needed for that."""

from __future__ import annotations

import re

import pytest

from tests.property.reclaim_model import SAFEGUARDS, World, explore
from tests.tidy.tree import ROOT

WORLDS = {
    "objects": {"writer", "deleter", "copier", "time", "expirer", "actor", "killer"},
    "clocks": {"writer", "deleter", "time", "wall_clock", "retainer", "expirer"},
    "readers": {"writer", "deleter", "actor", "reader", "killer"},
    "manifests": {"writer", "deleter", "time", "expirer", "actor", "committer"},
    "versions": {"writer", "time", "retainer", "committer", "dropper", "collector", "killer"},
}

LEFT_OUT = {
    "references in the row's own transaction": ("objects", "a live extent is not in its segment's layout"),
    "the act asks again inside its turn": ("objects", "a live extent is not in its segment's layout"),
    "naming asks inside the turn": ("objects", "a live extent is not in its segment's layout"),
    "holds of living writers": ("objects", "bytes that a living writer appended were left out"),
    "unlink after the layout is on record": ("objects", "the layout on record names a file that is gone"),
    "readers resolve again": ("readers", "a reader's file is gone"),
    "segments of fragments point back": ("manifests", "a live extent is not in its segment's layout"),
    "no drop when a fragment can't be read": ("manifests", "a live extent is not in its segment's layout"),
    "snapshot counter of commits": ("manifests", "a live extent is not in its segment's layout"),
    "expiry decides again inside its turn": ("clocks", "freed before its time"),
    "pool clock": ("clocks", "freed before its time"),
    "retention": ("clocks", "freed before its time"),
    "a commit needs its fragments' rows": ("versions", "a version names a fragment that has no row"),
    "fragments wait for their versions": ("versions", "a version names a fragment that has no row"),
    "fragments go only if no dataset changed": ("versions", "a version names a fragment that has no row"),
}
"""Safeguard → the world in which its absence does harm, and which harm."""


@pytest.mark.parametrize("name", WORLDS)
def test_no_state_that_can_be_reached_is_bad(name: str) -> None:
    verdict = explore(World(frozenset(WORLDS[name])))
    assert (verdict.problem, verdict.trace) == ("", ())
    # The world is not empty: it was walked, and by every actor in it.
    assert verdict.states > 500


def test_every_safeguard_is_left_out_once() -> None:
    assert LEFT_OUT.keys() == SAFEGUARDS


@pytest.mark.parametrize("safeguard", LEFT_OUT)
def test_without_a_safeguard_harm_is_found(safeguard: str) -> None:
    world, problem = LEFT_OUT[safeguard]
    verdict = explore(World(frozenset(WORLDS[world]), SAFEGUARDS - {safeguard}))
    assert verdict.problem.startswith(problem)
    assert len(verdict.trace) > 3


def test_the_argument_names_every_safeguard_and_only_tests_that_exist() -> None:
    page = (ROOT / "docs" / "internals" / "reclaim.md").read_text()
    assert [safeguard for safeguard in sorted(SAFEGUARDS) if safeguard not in page] == []
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 20
    assert sorted(name for name in named if f"def {name}(" not in sources) == []
