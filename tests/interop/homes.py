"""Runs programs where only a client of others is installed; ``scripts/clients`` makes those places."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.plugins.rungs import runs_in_ci
from tests.serving import Server

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


@dataclass(frozen=True)
class Place:
    """Where a client does its round.

    Attributes:
        server: The server.
        bucket: A bucket of that client alone.
        corpus: The folder with the objects.
        certificate: What the client is to trust, in PEM; None without TLS.
        base: The name below which the bucket is a host; empty where it is in the path.
    """

    server: Server
    bucket: str
    corpus: Path
    certificate: Path | None = None
    base: str = ""

    @property
    def endpoint(self) -> str:
        """The address that the client is given."""
        server = self.server
        return f"{server.scheme}://{self.base}:{server.port}" if self.base else server.url


def run_client(home: str, program: str, place: Place) -> None:
    """Runs a program of ``clients/``; fails with what it said unless all was as it should be."""
    folder = home_of(home)
    interpreter = "node" if program.endswith(".mjs") else str(folder / "bin" / "python")
    command = [interpreter, str(PROGRAMS / program)]
    environment = _environment(folder, place)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}\n{place.server.log[-4000:]}"


def _environment(folder: Path, place: Place) -> dict[str, str]:
    """What programs are told, with nothing of this machine's own set-up."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    key = place.server.key("ann")
    told = {
        "PATH": f"{folder / 'bin'}:{inherited['PATH']}",
        "NODE_PATH": str(folder / "node_modules"),
        "AWS_ACCESS_KEY_ID": key.access_key,
        "AWS_SECRET_ACCESS_KEY": key.secret_key,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "ROUND_ENDPOINT": place.endpoint,
        "ROUND_BUCKET": place.bucket,
        "ROUND_CORPUS": str(place.corpus),
        "ROUND_BASE": place.base,
    }
    if place.certificate is not None:
        trusting = ("ROUND_CERTIFICATE", "AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
        told |= dict.fromkeys(trusting, str(place.certificate))
    return inherited | told
