"""A life of a hub's process in which calls fail for a while.

``io_round HUB JOURNAL SEED CALL ERROR WHEN [only=PATH] [reopen]``: opens the hub, lets
strace fail the calls of a load (``WHEN`` counts thread by thread), then lets it go. Ends
with status 0 if every change was made or refused clearly, reads went on meanwhile, and
changes are made again in the end. With ``reopen`` the process opens the hub again first:
an index whose very root couldn't be written is closed for good. Status 3: told on standard
output.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from maruhub import compose
from maruhub.errors import MaruError
from maruhub.namespace import Namespace
from tests.crash import verdict
from tests.crash.journal import History, Journal
from tests.crash.load import BUCKET, Load

AGAIN_S = 15.0


@contextlib.contextmanager
def failing(call: str, error: str, when: str, only: Sequence[str]) -> Iterator[None]:
    """While inside, this process's calls fail as told."""
    command = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}"]
    command += [word for path in only for word in ("-P", path)]
    command += ["-e", f"inject={call}:error={error}:when={when}", "-p", str(os.getpid())]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        said = strace.stderr.readline()
        assert "attached" in said, said
        try:
            yield
        finally:
            strace.send_signal(signal.SIGINT)
            strace.stderr.read()


def main(hub: Path, path: Path, fault: Sequence[str], *, seed: int, only: Sequence[str], reopen: bool) -> int:
    """Says what is wrong; the exit status."""
    pool = compose.open_pool(hub)
    journal = Journal(path, may_be_torn=True)
    journal.seen(verdict.held(pool)[0])
    Load(Namespace(pool.store, "client"), journal, seed=seed, name=f"before{seed}", most=3).run()
    load = Load(Namespace(pool.store, "client"), journal, seed=seed, name=str(seed), most=12)
    found = []
    call, error, when = fault
    with failing(call, error, when, only):
        load.run()
        if not reopen:
            found += verdict.problems(pool, History.read(path))[1]
    if reopen:
        pool.close()
        pool = compose.open_pool(hub)
        load = Load(Namespace(pool.store, "client"), journal, seed=seed, name=f"after{seed}")
    if not _works_again(load):
        found.append("no change is made any more after the failure has gone")
    found += verdict.problems(pool, History.read(path))[1]
    pool.close()
    print(*found[:20], sep="\n")
    return 3 if found else 0


def _works_again(load: Load) -> bool:
    body = b"works again"
    changes: dict[str, str | None] = {"again": hashlib.sha256(body).hexdigest()}
    until = time.monotonic() + AGAIN_S
    number = 0
    while time.monotonic() < until:
        number += 1
        name = f"again.{number}"
        load.journal.sent(name, changes)
        try:
            load.namespace.objects.put(BUCKET, "again", body)
        except MaruError as error:
            load.journal.failed(name, error)
            time.sleep(0.05)
        else:
            load.journal.acknowledged(name)
            return True
    return False


if __name__ == "__main__":
    sys.exit(
        main(
            Path(sys.argv[1]),
            Path(sys.argv[2]),
            sys.argv[4:7],
            seed=int(sys.argv[3]),
            only=[word.removeprefix("only=") for word in sys.argv[7:] if word.startswith("only=")],
            reopen="reopen" in sys.argv[7:],
        )
    )
