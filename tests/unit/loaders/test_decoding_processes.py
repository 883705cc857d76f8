"""Decoding in processes: the same batches, whatever ends, and nothing left behind."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maruhub
from maruhub.errors import InvalidData, InvalidInput, Unavailable
from maruhub.loaders import Batches
from tests.unit.loaders.sources import BlankStore, SyntheticSource

SIZE = 101


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("decoding") / "hub"


@pytest.fixture(scope="module")
def view(folder: Path) -> Iterator[Any]:
    with maruhub.create(folder, blades=1) as hub:
        hub.bucket("photos").put_many({f"{i:03}": f"{i}".encode() for i in range(SIZE)})
        yield hub.dataset("cats").commit("photos")


def number(blob: memoryview) -> Any:
    return np.array([int(bytes(blob)), os.getpid()])


def tenfold(pair: Any) -> Any:
    return pair * [10, 1]


def but_seven(blob: memoryview) -> int:
    if bytes(blob) == b"7":
        raise ValueError("seven")
    return int(bytes(blob))


def die_at_seven(blob: memoryview) -> int:
    if bytes(blob) == b"7":
        os.kill(os.getpid(), signal.SIGKILL)
    return int(bytes(blob))


def keep(blob: memoryview) -> memoryview:
    return blob


def told(batches: Any) -> list[tuple[Any, ...]]:
    return [(b.ids, b.positions.tolist(), [int(value[0]) for value in b.values]) for b in batches]


@pytest.mark.parametrize("prefetch", [0, 1 << 20])
def test_batches_are_those_of_threads(view: Any, prefetch: int) -> None:
    options: dict[str, Any] = {"seed": 7, "decode": number, "transform": tenfold, "prefetch": prefetch}
    here, there = view.batches(8, **options), view.batches(8, decode_processes=3, **options)
    assert told(there) == told(here)
    assert there.state_dict() == here.state_dict()
    batches = list(there)
    assert len({value[1] for batch in batches for value in batch.values} - {os.getpid()}) == 3
    assert [len(blob) for blob in batches[0].blobs] == [0] * 8
    stats = there.stats()
    assert (stats.samples, stats.decode_threads) == (2 * SIZE, 3)
    assert stats.decode_s > 0
    assert not multiprocessing.active_children()


def test_they_may_come_from_a_fork_server(view: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none: "forkserver")
    assert told(view.batches(16, decode=number, decode_processes=2)) == told(view.batches(16, decode=number))


def test_a_mix_and_an_epoch_that_others_joined_are_read_there_too(view: Any, folder: Path) -> None:
    with maruhub.connect(folder) as hub:
        mix = hub.mix([view.where("size = 1"), view.where("size > 1")], [1, 3])
        options: dict[str, Any] = {"seed": 7, "decode": number}
        assert told(mix.batches(8, decode_processes=2, **options)) == told(mix.batches(8, **options))
        found = []
        for processes in (0, 2):
            batches = view.where("size = 1").batches(2, decode_processes=processes, **options)
            begun = told([next(batches)])
            batches.join(view, new=1, old=1)
            found.append(begun + told(batches))
        assert found[0] == found[1]
        assert sorted(name for ids, _, _ in found[1] for name in ids) == sorted(view.ids())


@pytest.mark.parametrize("stop", [1, 5, 12])
def test_a_state_is_behind_what_the_trainer_has(view: Any, stop: int) -> None:
    def make(processes: int) -> Any:
        return view.batches(8, seed=7, decode=number, decode_processes=processes)

    batches = make(2)
    begun = told(next(batches) for _ in range(stop))
    state = json.loads(json.dumps(batches.state_dict()))
    batches.close()
    assert state["position"] == 8 * stop
    again = make(1)
    again.load_state_dict(state)
    assert begun + told(again) == told(make(0))
    assert not multiprocessing.active_children()


def test_what_can_t_be_decoded_goes_by_the_policy(view: Any) -> None:
    with pytest.raises(InvalidData, match=r"photos/007.*seven"):
        list(view.batches(8, decode=but_seven, decode_processes=2))
    batches = view.batches(8, decode=but_seven, decode_processes=2, on_error="skip")
    assert sorted(value for batch in batches for value in batch.values) == sorted({*range(SIZE)} - {7})
    assert [(each.id, "seven" in each.reason) for each in batches.skipped] == [("photos/007", True)]


@pytest.mark.parametrize("prefetch", [0, 1 << 20])
def test_a_dead_process_is_told_with_how_it_ended(view: Any, prefetch: int) -> None:
    batches = view.batches(8, seed=7, decode=die_at_seven, decode_processes=2, prefetch=prefetch)
    got = []
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="died of signal 9"):  # noqa: PT012 - whichever batch it is
        for batch in batches:
            got += batch.values
    assert time.monotonic() - begun < 60, "told, not waited for"
    assert batches.state_dict()["position"] == len(got)
    assert not multiprocessing.active_children()


def test_what_can_t_cross_is_told(view: Any) -> None:
    with pytest.raises(InvalidInput, match="top of a module"):
        list(view.batches(8, decode=lambda blob: 1, decode_processes=1))
    with pytest.raises(InvalidData, match="handed over"):
        list(view.batches(8, decode=keep, decode_processes=1))
    with pytest.raises(InvalidInput, match="elsewhere"):
        list(Batches(SyntheticSource(9), BlankStore(9), 3, decode=number, decode_processes=1))
    for wrong in ({}, {"decode": number, "cache_bytes": 1}):
        with pytest.raises(InvalidInput, match="decode_processes"):
            view.batches(8, decode_processes=1, **wrong)


def test_a_killed_trainer_leaves_no_process(view: Any, folder: Path, tmp_path: Path) -> None:
    code = (
        "import maruhub, multiprocessing, os, sys, time\n"
        "from tests.unit.loaders.test_decoding_processes import number\n"
        "if __name__ == '__main__':\n"
        "    view = maruhub.connect(sys.argv[1]).version('cats')\n"
        "    batches = view.batches(8, decode=number, decode_processes=2, epochs=None)\n"
        "    next(batches)\n"
        "    print(*(each.pid for each in multiprocessing.active_children()), flush=True)\n"
        "    time.sleep(600)\n"
    )
    script = tmp_path / "train.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    trainer = subprocess.Popen(
        [sys.executable, str(script), str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert trainer.stdout is not None
    pids = [int(pid) for pid in trainer.stdout.readline().split()]
    assert len(pids) == 2
    trainer.kill()
    trainer.wait()
    trainer.stdout.close()
    end = time.monotonic() + 60
    while any(
        Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pids
    ):
        assert time.monotonic() < end
        time.sleep(0.05)
