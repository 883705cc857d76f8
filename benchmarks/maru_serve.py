"""Our own server as a site: ``maru serve`` over a hub."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.samples import ROOT
from benchmarks.site import HOST, Site, free_ports, running


@dataclass(frozen=True)
class MaruSite(Site):
    """A running ``maru serve``."""

    parent: int = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        return [
            int(pid) for pid in Path(f"/proc/{self.parent}/task/{self.parent}/children").read_text().split()
        ]


@contextmanager
def maru_serve(hub: Path, *options: str) -> Iterator[MaruSite]:
    """Serves a hub, with default settings unless told; an administrator's key is made for it."""
    key = json.loads(_maru(hub, "key", "create", f"bench-{hub.name}", "--admin", "--json"))
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "maruhub", "--hub", hub, "serve", "--listen", f"{HOST}:{port}"]
    command += options
    log = hub.parent / f"{hub.name}-serve.log"
    with running(command, log, port=port, environment={"PYTHONPATH": str(ROOT)}) as server:
        site = MaruSite(port, key["access_key"], key["secret_key"], server.pid)
        # The parent's socket listens before there is a worker; this waits for one.
        site.ask("GET", "/-/ready")
        yield site


def _maru(hub: Path, *words: str) -> str:
    command = [sys.executable, "-m", "maruhub", "--hub", str(hub), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
