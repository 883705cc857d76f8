"""The client of the HTTP benchmarks: wrk, the same for every server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.site import Missing, Site

_SCRIPT = Path(__file__).with_name("wrk.lua")
_PATIENCE_S = 30


@dataclass(frozen=True)
class Load:
    """What a server answered: requests a second, and how long one took."""

    rate: float
    p50_ms: float
    p99_ms: float


def send(
    site: Site,
    requests: Path,
    *,
    connections: int,
    seconds: float,
    answer_bytes: int = 0,
    body: Path | None = None,
) -> Load:
    """Sends a list's requests over so many connections, each as soon as the one before is answered.

    Args:
        site: Who is asked.
        requests: A file as :func:`write_requests` makes it.
        connections: Kept open throughout.
        seconds: How long.
        answer_bytes: What an answer has at least; nobody measures errors.
        body: A file that is the body of every request; then no request may come round twice.

    Raises:
        Missing: wrk is not installed.
        RuntimeError: A request was refused, broke off, or got less than it should.
    """
    if shutil.which("wrk") is None:
        raise Missing("wrk, the client (Debian: wrk)")
    # A thread a core, as each server's: with fewer the client would be what is measured.
    threads = min(connections, len(os.sched_getaffinity(0)))
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds:g}s", f"--timeout={_PATIENCE_S}s"]
    command += [f"--script={_SCRIPT}", f"http://{site.host}", "--", str(requests), str(threads)]
    command += [str(body)] if body else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    if said["refused"] or said["broken"] or said["late"] or not said["requests"]:
        raise RuntimeError(f"{site.host} did not answer as it should: {said}")
    if said["bytes"] < answer_bytes * said["requests"]:
        raise RuntimeError(f"{site.host} sent too little: {said}")
    if body and said["requests"] > _lines(requests):
        raise RuntimeError(f"{site.host} took more than the list has: {said}")
    return Load(said["requests"] / said["seconds"], said["p50_ms"], said["p99_ms"])


def write_requests(path: Path, links: Sequence[str], *, method: str = "GET") -> Path:
    """A file of requests, one a line."""
    path.write_text("".join(f"{method} {link}\n" for link in links))
    return path


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")
