"""Runs programs where only a client of others is installed; ``scripts/clients`` makes those places."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.plugins.rungs import runs_in_ci
from tests.serving import Key, Server

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).resolve().parent / "clients"


@functools.cache
def home_of(name: str) -> Path:
    """The folder of a home, made at its first use; skips the test where that is not ours to do."""
    home = ROOT / ".clients" / name
    if name == "node" and shutil.which("npm") is None:
        pytest.skip("the AWS SDK for JavaScript needs Node.js 20 or newer with npm")
    if name == "torch" and not (runs_in_ci() or (home / ".made").exists()):
        pytest.skip("torch is gigabytes on some machines: `scripts/clients torch` brings it")
    done = subprocess.run([ROOT / "scripts/clients", name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return home


def run_client(
    server: Server, home: str, program: str, *, bucket: str, corpus: Path, key: Key | None = None
) -> str:
    """Runs a program of ``clients/`` against a server; what it printed."""
    folder, key = home_of(home), key or server.key("ann")
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment = inherited | {
        "PATH": f"{folder / 'bin'}:{inherited['PATH']}",
        "NODE_PATH": str(folder / "node_modules"),
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Nothing of this machine's own set-up.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "ROUND_ENDPOINT": server.url,
        "ROUND_BUCKET": bucket,
        "ROUND_CORPUS": str(corpus),
    }
    interpreter = "node" if program.endswith(".mjs") else str(folder / "bin" / "python")
    command = [interpreter, str(PROGRAMS / program)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}\n{server.log[-4000:]}"
    return done.stdout
