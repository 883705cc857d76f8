"""Servers for benchmarks of doors over HTTP, each in processes of its own, on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.samples import ROOT

_START_S = 60.0


@dataclass(frozen=True)
class ServedHub:
    """A hub behind ``maru serve``, and an admin's key to it."""

    url: str
    access_key: str
    secret_key: str


@contextmanager
def served_hub(folder: Path, *, workers: int) -> Iterator[ServedHub]:
    """Serves the hub in ``folder`` until the block ends."""
    made = json.loads(_maru(folder, "key", "create", "bench", "--admin", "--json"))
    port = free_port()
    words = ["serve", "--listen", f"127.0.0.1:{port}", "--workers", str(workers), "--no-care"]
    with running(*_command(folder, *words), port=port):
        yield ServedHub(f"http://127.0.0.1:{port}", made["access_key"], made["secret_key"])


@contextmanager
def running(*command: str, port: int | None = None) -> Iterator[None]:
    """Runs a server until the block ends; begins once it accepts connections on ``port``."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if port is not None:
            _await(port, process)
        yield
    finally:
        process.terminate()
        process.wait(60)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args} does not listen")


def _maru(folder: Path, *words: str) -> str:
    done = subprocess.run(_command(folder, *words), cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def _command(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "maruhub", "--hub", str(folder), *words]
