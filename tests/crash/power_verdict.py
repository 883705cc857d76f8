"""A hub after a power cut, opened as after a reboot: ``power_verdict HUB JOURNAL [rebuild]``."""

from __future__ import annotations

import sys
import time
import uuid
from pathlib import Path

from maruhub import compose
from maruhub.errors import MaruError
from maruhub.namespace import Namespace
from maruhub.store.commit import clock
from tests.crash import verdict
from tests.crash.journal import History
from tests.crash.load import BUCKET

OPENED_IN_S = 10.0


def main(hub: Path, path: Path, *, rebuild: bool) -> list[str]:
    """What is wrong; nothing if every acknowledged object is there."""
    # The machine has not been started anew since, so its name for this boot must be another.
    boot = path.with_suffix(".boot")
    boot.write_text(str(uuid.uuid4()))
    clock._BOOT_ID = boot  # type: ignore[misc]
    history = History.read(path)
    began = time.monotonic()
    try:
        pool = compose.open_pool(hub)
    except MaruError as error:
        return [f"the hub doesn't open: {error}"]
    seconds = time.monotonic() - began
    state, wrong = verdict.problems(pool, history)
    if seconds > OPENED_IN_S:
        wrong.append(f"opening took {seconds:.1f} s")
    wrong += verdict.lost_versions(pool, history)
    Namespace(pool.store).objects.put(BUCKET, "after", b"goes on")
    if rebuild and not wrong:
        state, _ = verdict.held(pool)
        wrong += verdict.after_rebuild(pool, history, state)
    pool.close()
    return wrong


if __name__ == "__main__":
    found = main(Path(sys.argv[1]), Path(sys.argv[2]), rebuild="rebuild" in sys.argv)
    print(*found[:20], sep="\n")
    sys.exit(3 if found else 0)
