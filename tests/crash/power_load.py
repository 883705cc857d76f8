"""The load that the power goes from: ``power_load HUB MARK SEED MOST [planted]``, and ends by itself."""

from __future__ import annotations

import sys
from pathlib import Path

from maruhub import compose
from maruhub.namespace import Namespace
from tests.crash.journal import Journal
from tests.crash.load import Load


def main(hub: Path, mark: Path, *, seed: int, most: int, planted: bool) -> None:
    if planted:
        from maruhub.store.local_blade import LocalFile

        LocalFile.sync = lambda self: None  # type: ignore[method-assign]
    pool = compose.open_pool(hub)
    journal = Journal(mark)
    load = Load(Namespace(pool.store, "client"), journal, seed=seed, name=str(seed), most=most)
    load.run(4)
    assert load.journal is journal
    pool.close()


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        seed=int(sys.argv[3]),
        most=int(sys.argv[4]),
        planted="planted" in sys.argv,
    )
