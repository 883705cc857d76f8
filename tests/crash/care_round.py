"""One life of a process that cuts, mends and sweeps the segments of a hub until it is killed.

``python -m tests.crash.care_round HUB JOURNAL SEED [most] [die=CALL:N]``. What is refused is no fault; any
other error is told, and ends it with status 3.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import sys
import traceback
from pathlib import Path

from maruhub import compose
from maruhub.errors import MaruError
from maruhub.store.seal.act import Acts
from maruhub.store.store import PoolStore
from tests.crash import last_call

WRONG = 3


def main(hub: Path, seed: int, most: int | None) -> int:
    """Never returns but by an error, unless ``most`` rounds are enough."""
    chance = random.Random(seed)
    pool = compose.open_pool(hub)
    try:
        for _ in itertools.count() if most is None else range(most):
            one_round(pool.store, chance)
    except Exception:
        traceback.print_exc(file=sys.stdout)
        return WRONG
    pool.close()
    return 0


def one_round(store: PoolStore, chance: random.Random) -> None:
    with contextlib.suppress(MaruError):
        covered = store.checkpoint().began_after if chance.random() < 0.3 else 0
        store.close_logs(0)
        layouts = [layout for layout in store.layouts() if layout.closed]
        with store.acting() as acts:
            for layout in chance.sample(layouts, min(len(layouts), 6)):
                numbers = chance.sample(range(len(layout.blades)), min(len(layout.blades), 2))
                act_on(acts, chance, layout.segment, numbers, covered)
            acts.sweep()


def act_on(acts: Acts, chance: random.Random, segment: int, numbers: list[int], covered: int) -> None:
    with contextlib.suppress(MaruError):
        if chance.random() < 0.7:
            acts.recut(segment, covered=covered)
        else:
            acts.rebuild(segment, dict.fromkeys(numbers))


if __name__ == "__main__":
    last_call.heed(sys.argv[4:])
    rounds = [int(word) for word in sys.argv[4:] if word.isdigit()]
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[3]), rounds[0] if rounds else None))
