"""One life of a hub's process: open, compare with the journal, go on writing until killed.

``python -m tests.crash.kill_round HUB JOURNAL SEED [rebuild] [most] [die=CALL:N]``. Status 3: something
was wrong, told on standard output.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from maruhub import compose
from maruhub.namespace import Namespace
from tests.crash import last_call, verdict
from tests.crash.journal import History, Journal
from tests.crash.load import Load

OPENED_IN_S = 10.0
WRONG = 3


def main(hub: Path, path: Path, *, seed: int, rebuild: bool, most: int | None) -> int:
    """Never returns but by an error, unless ``most`` changes a client are enough."""
    history = History.read(path)
    began = time.monotonic()
    pool = compose.open_pool(hub)
    seconds = time.monotonic() - began
    state, wrong = verdict.problems(pool, history)
    if seconds > OPENED_IN_S:
        wrong.append(f"opening took {seconds:.1f} s")
    if rebuild and not wrong:
        wrong += verdict.after_rebuild(pool, history, state)
    if wrong:
        print(*wrong[:20], sep="\n", flush=True)
        return WRONG
    journal = Journal(path, may_be_torn=True)
    journal.seen(state)
    journal.note(opened_s=seconds, recovered=pool.recovered is not None)
    load = Load(Namespace(pool.store, "client"), journal, seed=seed, name=f"{seed}", most=most)
    load.run()
    pool.close()
    return 0


if __name__ == "__main__":
    words = sys.argv[4:]
    last_call.heed(words)
    numbers = [int(word) for word in words if word.isdigit()]
    sys.exit(
        main(
            Path(sys.argv[1]),
            Path(sys.argv[2]),
            seed=int(sys.argv[3]),
            rebuild="rebuild" in words,
            most=numbers[0] if numbers else None,
        )
    )
