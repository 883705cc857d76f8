"""A real server for tests: ``maru serve`` in processes of its own, on a free port of loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maruhub.gateway.serve.listener import open_listeners
from maruhub.gateway.serve.options import ServeOptions

START_S = 60.0


@dataclass
class Key:
    """An access key, its secret shown: tests are nobody's secret."""

    access_key: str
    secret_key: str
    user: str
    admin: bool = False


@dataclass
class Server:
    """A running server and its hub's folder; ``log`` is what it has printed so far."""

    hub: Path
    port: int
    process: subprocess.Popen[bytes]
    output: Path
    scheme: str = "http"
    keys: dict[str, Key] = field(default_factory=dict)
    address: str = "127.0.0.1"
    parent: socket.socket | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.address}:{self.port}"

    @property
    def log(self) -> str:
        return self.output.read_text()

    def key(self, user: str, *, admin: bool = False, policy: Path | None = None) -> Key:
        """An access key of a user, made at its first use."""
        if user not in self.keys:
            options = [*(["--admin"] if admin else []), *(["--policy", str(policy)] if policy else [])]
            made = json.loads(maru(self.hub, "key", "create", user, "--json", *options))
            self.keys[user] = Key(
                **{name: made[name] for name in ("access_key", "secret_key", "user", "admin")}
            )
        return self.keys[user]

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def reload(self) -> None:
        """Replaces the workers; returns when the new ones serve and the old ones have been told to leave."""
        told = self.log.count("new workers serve")
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log.count("new workers serve") > told)

    def orphan(self) -> None:
        """Makes a worker think that its parent is gone."""
        assert self.parent is not None
        self.parent.close()

    def stop(self) -> int:
        """Ends it as SIGTERM does; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(90)


def maru(hub: Path, *words: str) -> str:
    """Runs a command on a hub; what it printed."""
    command = [sys.executable, "-m", "maruhub", "--hub", str(hub), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(holds: Any, seconds: float = START_S) -> None:
    """Waits for what must come to hold; fails the test if it doesn't."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@contextmanager
def serving(
    folder: Path, *options: str, blades: int = 6, hub: Path | None = None, address: str = "127.0.0.1"
) -> Iterator[Server]:
    """Serves a hub (a new one in ``folder``, unless one is given) until the block ends."""
    hub = hub or folder / "hub"
    if not hub.exists():
        maru(hub, "init", str(hub), "--blades", str(blades))
    port, output = free_port(), folder / f"serve-{os.urandom(4).hex()}.log"
    command = [sys.executable, "-m", "maruhub", "--hub", str(hub), "serve", "--listen", f"{address}:{port}"]
    with output.open("wb") as log:
        process = subprocess.Popen([*command, *options], stdout=log, stderr=log)
    scheme = "https" if "--tls-cert" in options else "http"
    server = Server(hub, port, process, output, scheme, address=address)
    try:
        wait_until(lambda: process.poll() is not None or f"Serving {hub}" in server.log)
        assert process.poll() is None, server.log
        yield server
        if process.poll() is None:
            assert server.stop() == 0, server.log
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextmanager
def working(folder: Path, **settings: Any) -> Iterator[Server]:
    """One worker without a parent, for settings that the command has no option for; over a new hub."""
    options = ServeOptions(hub=folder / "hub", **settings)
    maru(options.hub, "init", str(options.hub))
    (listener,) = open_listeners("127.0.0.1", 0, 1)
    ready, told = os.pipe()
    alive, parent = socket.socketpair()
    passed = (listener.fileno(), told, alive.fileno())
    command = [sys.executable, "-m", "maruhub.gateway.serve.worker", options.to_json()]
    process = subprocess.Popen([*command, *map(str, passed), str(folder)], pass_fds=passed)
    try:
        assert os.read(ready, 1) == b"r"
        yield Server(options.hub, listener.getsockname()[1], process, folder / "log", parent=parent)
    finally:
        process.kill()
        process.wait()
        for end in (ready, told):
            os.close(end)
        for each in (alive, parent, listener):
            each.close()


def fetch(url: str) -> tuple[int, bytes]:
    """Status and body of a plain GET."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as error:
        return int(error.code), error.read()
