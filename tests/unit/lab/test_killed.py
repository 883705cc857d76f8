"""A training that is killed: its claim holds all it was handed, and it resumes exactly."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import maruhub
from maruhub.namespace import PutItem

TRAINER = """
import json, sys
import maruhub
hub = maruhub.connect("hub")
train = hub.dataset("d").latest.split("train")
run = hub.runs.get(sys.argv[1])
batches = train.batches(16, seed=3, run=run)
for batch in batches:
    print(json.dumps([batch.ids, batches.state_dict()]), flush=True)
    sys.stdin.readline()
"""


def test_a_killed_training_is_recorded_and_goes_on_exactly(tmp_path: Path) -> None:
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        items = [PutItem(key=f"d/{i}", data=f"sample {i}".encode()) for i in range(300)]
        hub.namespace.objects.put_many("data", items, create_bucket=True)
        train = hub.dataset("d").commit("data/d/").split("train")
        run = hub.run(train, name="killed", code="x", seed=3)
        whole = [name for batch in train.batches(16, seed=3) for name in batch.ids]

    handed, state = run_and_kill(tmp_path, run.id, batches=5)
    assert handed == whole[:80]

    with maruhub.connect(tmp_path / "hub") as hub:
        again = hub.runs.get(run.id)
        assert again.state == "running"
        (claim,) = again.reads()
        assert claim.view == train.digest
        assert claim.reads.covers(3, 0, 0, 80)
        resumed = hub.view(str(state["source"])).batches(40, seed=3, run=again)
        resumed.load_state_dict(state)
        assert handed + [name for batch in resumed for name in batch.ids] == whole
        again.finish()
        assert hub.evaluate(again, hub.dataset("d").latest.split("test"), {"accuracy": 1}).held_out


def run_and_kill(folder: Path, run: str, *, batches: int) -> tuple[list[str], dict[str, object]]:
    """Ids that a process was handed until it was killed, and its last state."""
    trainer = subprocess.Popen(
        [sys.executable, "-c", TRAINER, run],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        text=True,
    )
    assert trainer.stdin is not None
    assert trainer.stdout is not None
    handed: list[str] = []
    state: dict[str, object] = {}
    for step in range(batches):
        ids, state = json.loads(trainer.stdout.readline())
        handed += ids
        if step < batches - 1:
            trainer.stdin.write("\n")
            trainer.stdin.flush()
    trainer.kill()
    trainer.communicate()
    return handed, state
