"""One life of a training: goes on from its last checkpoint until it is killed or the epochs are over.

``python -m tests.crash.training_round HUB CHECKPOINTS BATCH_SIZE ORDER``. A line a step, synced: what the
trainer got, and the loader's state after it, as a trainer saves both with its model.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import maruhub
from maruhub.loaders import decoders, orders

EPOCHS = 3
SEED = 11
ORDERS = {"shuffled": None, "blocks": orders.Blocks(8, 4), "balanced": orders.Balanced("label")}


def last_state(checkpoints: Path) -> dict[str, object] | None:
    lines = checkpoints.read_bytes().splitlines(keepends=True) if checkpoints.exists() else []
    whole = [line for line in lines if line.endswith(b"\n")]
    if len(whole) < len(lines):  # the line that the kill cut
        checkpoints.write_bytes(b"".join(whole))
    return json.loads(whole[-1])["state"] if whole else None


def main(hub_path: str, checkpoints: Path, batch_size: int, order: str) -> None:
    state = last_state(checkpoints)
    if state is not None and int(str(state["epoch"])) >= EPOCHS:
        return  # killed behind its last checkpoint
    with maruhub.connect(hub_path, read_only=True) as hub, checkpoints.open("ab") as out:
        batches = hub.version("cats").batches(
            batch_size, seed=SEED, order=ORDERS[order], decode=decoders.Text(), decode_threads=2, epochs=None
        )
        if state is not None:
            batches.load_state_dict(state)
        for batch in batches:
            after = batches.state_dict()
            line = {"ids": batch.ids, "values": batch.values, "state": after}
            out.write(json.dumps(line).encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())
            if after["epoch"] >= EPOCHS:
                return


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
