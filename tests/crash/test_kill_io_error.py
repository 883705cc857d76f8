"""Calls to the system fail: changes are made or refused clearly, reads go on, nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.crash.victim import Victim

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")

FAULTS = [
    ("fdatasync", "EIO", "2"),
    ("fdatasync", "EIO", "3..6"),
    ("fdatasync", "EIO", "1+"),
    ("fsync", "EIO", "1..2"),
    ("pwritev", "EIO", "3"),
    ("pwritev", "ENOSPC", "2..6"),
    ("pwritev", "ENOSPC", "1+"),
]
INDEX_FAULTS = [
    ("fdatasync", "EIO", "2..3"),
    ("pwritev", "ENOSPC", "2..4"),
    ("pwrite64", "EIO", "2..3"),
    ("pwrite64", "ENOSPC", "1+"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=" ".join)
def test_a_call_fails(tmp_path: Path, seed: int, fault: tuple[str, str, str]) -> None:
    victim = Victim(tmp_path, seed)
    victim.live_with_failures(*fault)
    victim.finish()


@pytest.mark.parametrize("fault", INDEX_FAULTS, ids=" ".join)
def test_a_call_of_the_index_fails(tmp_path: Path, seed: int, fault: tuple[str, str, str]) -> None:
    victim = Victim(tmp_path, seed)
    only = f"only={victim.hub / 'index' / 'data.mdb'}"
    history = victim.live_with_failures(*fault, only, "reopen")
    assert history.answers
    victim.finish()
