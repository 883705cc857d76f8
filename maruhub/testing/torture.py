"""``python -m maruhub.testing.torture SEEDS FIRST_SEED``: ordeals by seed, and a line of figures.

Ends with status 1 if one is red: the seed is printed with its script, cut down to the
operations that it takes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from maruhub.testing.ordeal import LENGTH, Figures
from maruhub.testing.ordeal_script import Op, make_ops
from maruhub.testing.ordeal_verdict import run_ordeal
from maruhub.testing.store_script import WrongBytes

_SHRINKINGS = 400
_SAID_EVERY_SECONDS = 30.0


@dataclass(frozen=True)
class Result:
    """What became of a seed: figures, or what is wrong and a short script that shows it."""

    seed: int
    figures: Figures
    wrong: str = ""
    kind: str = ""
    script: tuple[str, ...] = ()


def run_seed(seed: int) -> Result:
    """One seed; a red one is cut down."""
    try:
        return Result(seed, run_ordeal(seed))
    except Exception as error:  # noqa: BLE001 - a bug of any kind is a finding
        said = "".join(traceback.format_exception(error)[-3:])
        ops = shrink(seed, make_ops(seed, LENGTH), sign(error))
        return Result(seed, Figures(), said, _kind(error), tuple(map(str, ops)))


def _kind(error: Exception) -> str:
    return "wrong bytes" if isinstance(error, WrongBytes) else "lost"


def sign(error: Exception) -> str:
    """What is the same in two errors of one cause: no numbers and no ids."""
    where = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    return f"{type(error)} {where[-1]} {re.sub('[0-9a-f]{2,}|[0-9]', '', str(error))[:80]}"


def shrink(seed: int, ops: tuple[Op, ...], wanted: str) -> tuple[Op, ...]:
    """Leaves operations out for as long as it stays red in the same way."""
    tries = 0
    size = len(ops) // 2
    while size and tries < _SHRINKINGS:
        at = 0
        while at < len(ops) and tries < _SHRINKINGS:
            fewer = ops[:at] + ops[at + size :]
            tries += 1
            if _is_red(seed, fewer, wanted):
                ops = fewer
            else:
                at += size
        size //= 2
    return ops


def _is_red(seed: int, ops: tuple[Op, ...], wanted: str) -> bool:
    try:
        run_ordeal(seed, ops)
    except Exception as found:  # noqa: BLE001 - see run_seed
        return sign(found) == wanted
    return False


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 if a seed is red."""
    parser = argparse.ArgumentParser(prog="torture", description="Ordeals of a pool in memory, by seed.")
    parser.add_argument("seeds", type=int, nargs="?", default=200)
    parser.add_argument("first_seed", type=int, nargs="?", default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=0.0, help="end after so long, with what was done")
    asked = parser.parse_args(arguments)
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    began = said = time.monotonic()
    total, red, done = Figures(), Counter[str](), 0
    with multiprocessing.Pool(asked.workers, maxtasksperchild=500) as pool:
        for result in pool.imap_unordered(run_seed, seeds, chunksize=1):
            done += 1
            total.add(result.figures)
            if result.wrong:
                red[result.kind] += 1
                _tell(result)
            if asked.seconds and time.monotonic() - began > asked.seconds:
                break
            if time.monotonic() - said > _SAID_EVERY_SECONDS:
                said = time.monotonic()
                _say(f"{done} of {len(seeds)} seeds")
    _say(closing_line(done, total, red, time.monotonic() - began))
    return 1 if red else 0


def _tell(result: Result) -> None:
    _say(f"RED: seed {result.seed} ({result.kind})\n{result.wrong}")
    _say("".join(f"    {line}\n" for line in result.script))


def closing_line(seeds: int, total: Figures, red: Counter[str], seconds: float) -> str:
    """What was tried and found."""
    faults = ", ".join(f"{count} {kind}" for kind, count in sorted(total.faults.items()))
    acts = ", ".join(f"{count} {kind}" for kind, count in sorted(total.acts.items()))
    refusals = ", ".join(f"{count} {kind}" for kind, count in sorted(total.errors.items()))
    return (
        f"{seeds} seeds: {total.operations} operations, {total.calls} calls, {total.crashes} crashes, "
        f"{sum(total.faults.values())} faults ({faults}), acts ({acts}), refusals ({refusals}), "
        f"{total.acknowledged} acknowledged changes, {total.checked} acknowledged objects checked, "
        f"lost {red['lost']}, wrong bytes {red['wrong bytes']}; {seconds:.0f} s"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
