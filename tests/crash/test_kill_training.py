"""A training that is killed again and again reads each epoch as if it had not been."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import maruhub
from tests.crash.training_round import EPOCHS, ORDERS, SEED

SAMPLES = 601
LIVES = 6

pytestmark = pytest.mark.crash


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    with maruhub.create(tmp_path / "hub", blades=3) as made:
        made.bucket("pets").put_many({f"{i:04}": f"sample {i}".encode() for i in range(SAMPLES)})
        dataset = made.dataset("cats")
        dataset.commit("pets")
        (tmp_path / "labels.csv").write_text(
            "key,label\n" + "".join(f"{i:04},{i % 7 == 0}\n" for i in range(SAMPLES))
        )
        dataset.label(tmp_path / "labels.csv")
    return tmp_path / "hub"


def live(hub: Path, checkpoints: Path, *, batch_size: int, order: str, kill_after: float | None) -> bool:
    """Whether it came to its end by itself."""
    words = [sys.executable, "-m", "tests.crash.training_round"]
    process = subprocess.Popen([*words, str(hub), str(checkpoints), str(batch_size), order])
    try:
        if kill_after is None:
            assert process.wait(60) == 0
            return True
        before = checkpoints.stat().st_size if checkpoints.exists() else 0
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if checkpoints.exists() and checkpoints.stat().st_size > before:
                time.sleep(kill_after)
                # What was never there can't be left behind by a kill.
                assert "/dev/shm" not in Path(f"/proc/{process.pid}/maps").read_text()
                break
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        # One that ended by an error of its own was not killed.
        assert process.wait(10) in (0, -signal.SIGKILL)
        return process.returncode == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("order", ORDERS)
def test_what_was_trained_on_is_the_whole_sequence(hub: Path, tmp_path: Path, seed: int, order: str) -> None:
    draw = random.Random(seed)
    checkpoints = tmp_path / "checkpoints"
    kills = 0
    while kills < LIVES:
        size = draw.choice([1, 3, 8, 20])
        if live(hub, checkpoints, batch_size=size, order=order, kill_after=draw.random() * 0.03):
            break
        kills += 1
    else:
        live(hub, checkpoints, batch_size=50, order=order, kill_after=None)
    assert kills
    lines: list[dict[str, Any]] = [json.loads(line) for line in checkpoints.read_text().splitlines()]
    got = [name for line in lines for name in line["ids"]]
    with maruhub.connect(hub) as opened:
        whole = opened.version("cats").batches(64, seed=SEED, order=ORDERS[order], epochs=EPOCHS)
        expected = [name for batch in whole for name in batch.ids]
    assert got[: len(expected)] == expected
    assert len(got) == len(expected)
    assert [v for line in lines for v in line["values"]] == [f"sample {int(n[5:])}" for n in expected]
