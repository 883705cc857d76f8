"""The training of the demo, a program of its own so that it can really be killed.

Every few batches it saves one checkpoint: the model's state, that of the hub's loader, and
how long its diary was. The diary lists the ids of every batch learned; after a kill it is
cut back to the checkpoint, as what came later was learned by a model that died. Epochs
are counted from 1, as people do.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from model import Model

import maruhub

SAVE_EVERY = 4
BATCH = 32


def main() -> None:
    options = _arguments()
    with maruhub.connect(options.hub) as hub:
        run = hub.runs.get(options.run)
        train = hub.version(options.version).split("train")
        batches = train.batches(BATCH, seed=options.seed, run=run)
        model = Model(width=options.width, rate=options.rate)
        if options.start_from:
            with np.load(options.start_from) as saved:
                model.load(saved)
        checkpoint, diary = options.folder / "checkpoint.npz", options.folder / "diary.jsonl"
        if checkpoint.exists():
            _resume(checkpoint, diary, model, batches)
        while batches.state_dict()["epoch"] < options.epochs:
            _epoch(model, batches, checkpoint, diary, pace=options.pace, run=run, store=hub.store)
        run.finish()


def _epoch(
    model: Model, batches: Any, checkpoint: Path, diary: Path, *, pace: float, run: Any, store: Any
) -> None:
    """The rest of the epoch that the loader is in."""
    before = store.read_counts.degraded
    with diary.open("ab") as out:
        for batch in batches:
            loss = model.learn(batch)
            out.write(json.dumps({"epoch": batch.epoch + 1, "ids": batch.ids}).encode() + b"\n")
            if batch.step % SAVE_EVERY == 0:
                _save(checkpoint, out, model, batches)
            run.log(batch.epoch * len(batches) + batch.step, loss=loss)
            rebuilt = store.read_counts.degraded - before
            print(batch.epoch + 1, batch.step + 1, len(batches), f"{loss:.4f}", rebuilt, flush=True)
            time.sleep(pace)  # only so that there is time to watch, and to be killed
        _save(checkpoint, out, model, batches)


def _save(checkpoint: Path, diary: Any, model: Model, batches: Any) -> None:
    """Writes a checkpoint beside the old one and puts it in its place: there is always a whole one."""
    diary.flush()
    partial = checkpoint.with_name("partial.npz")
    np.savez(partial, **model.weights(), loader=json.dumps(batches.state_dict()), diary=diary.tell())
    partial.replace(checkpoint)


def _resume(checkpoint: Path, diary: Path, model: Model, batches: Any) -> None:
    with np.load(checkpoint) as saved:
        model.load(saved)
        batches.load_state_dict(json.loads(str(saved["loader"])))
        os.truncate(diary, int(saved["diary"]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hub", type=Path)
    parser.add_argument("version", help="what to train on, as DATASET@VERSION")
    parser.add_argument("run", help="the run that this is")
    parser.add_argument("folder", type=Path, help="where checkpoint and diary are")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--pace", type=float, default=0.0, help="seconds to wait after each batch")
    parser.add_argument("--start-from", type=Path, help="a checkpoint whose weights to begin with")
    return parser.parse_args()


if __name__ == "__main__":
    main()
