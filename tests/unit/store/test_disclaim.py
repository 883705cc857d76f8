"""What is disclaimed while the store lets go of its logs."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from maruhub import compose


def test_who_disclaims_while_the_logs_are_let_go_of_hears_no_error(tmp_path: Path) -> None:
    pool = compose.create_pool(tmp_path / "hub", n=1)
    store = pool.store
    (blob,) = store.append([b"refused"])

    def rest() -> None:
        with store.resting():
            pass

    with ThreadPoolExecutor(2) as threads:
        with store._gate.passing():
            resting = threads.submit(rest)
            while not store._gate._closed:
                time.sleep(0.001)
            asked = threading.Event()
            disclaiming = threads.submit(lambda: (asked.set(), store.disclaim(blob)))
            assert asked.wait(30)
            time.sleep(0.05)
        resting.result(30)
        disclaiming.result(30)
    pool.close()
