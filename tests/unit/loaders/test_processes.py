"""Loaders after a fork, at the interpreter's exit, and over ten million samples."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc

import pytest

from maruhub.loaders import Batches
from tests.unit.loaders.sources import BlankStore, SyntheticSource


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_goes_on_with_a_reader_of_its_own() -> None:
    batches = Batches(SyntheticSource(10_000), BlankStore(size_bytes=100), 100, seed=1)
    expected = Batches(SyntheticSource(10_000), BlankStore(size_bytes=100), 100, seed=1)
    for _ in range(3):
        assert next(batches).ids == next(expected).ids
    wanted = next(expected).ids
    pid = os.fork()
    if pid == 0:
        os._exit(0 if next(batches).ids == wanted and len(list(batches)) == 96 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert next(batches).ids == wanted
    batches.close()
    expected.close()


def test_the_interpreter_exits_in_the_middle_of_an_epoch() -> None:
    code = (
        "from maruhub.loaders import Batches\n"
        "from tests.unit.loaders.sources import *\n"
        "b = Batches(SyntheticSource(10**6), BlankStore(size_bytes=100), 100, prefetch=10_000)\n"
        "next(b)\n"
        "print('left')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "left\n", "")


def test_memory_is_flat_over_ten_million_samples() -> None:
    """What is held after many batches is what was held after a few: no list of samples."""
    store = BlankStore(size_bytes=50_000)
    store.keep_calls = False
    batches = Batches(SyntheticSource(10_000_000), store, 256, seed=1, prefetch=8 << 20)
    tracemalloc.start()
    try:
        for _ in range(40):
            next(batches)
        early = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(360):
            next(batches)
        late, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    batches.close()
    assert late - early < 1 << 20
    assert peak < 8 << 20


def test_the_first_batch_of_a_huge_view_costs_as_much_as_of_a_small_one() -> None:
    batches = Batches(SyntheticSource(1 << 62), BlankStore(), 8, seed=1, prefetch=0)
    batches.load_state_dict({**batches.state_dict(), "position": (1 << 62) - 20})
    assert [len(b) for b in batches] == [8, 8, 4]
