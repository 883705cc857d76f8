"""Ten restarts under load: clients that never try twice see not one failed request."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.s3_wire import Wire
from tests.serving import Key, Server, serving, wait_until


class Client(threading.Thread):
    """Puts and reads its own object over a kept connection; stops at the first failure."""

    def __init__(self, server: Server, key: Key, number: int) -> None:
        super().__init__(name=f"client-{number}")
        self._server = server
        self._key = key
        self._path = f"/restarted/{number}"
        self.stop = threading.Event()
        self.done = 0
        self.failure = ""

    def run(self) -> None:
        with Wire(self._server, self._key, timeout_s=60) as wire:
            while not self.stop.is_set() and not self.failure:
                try:
                    self._round(wire)
                except Exception as error:
                    self.failure = f"after {self.done} rounds: {error!r}"

    def _round(self, wire: Wire) -> None:
        body = f"{self._path} {self.done} ".encode() * 500
        put = wire.ask("PUT", self._path, body=body)
        got = wire.ask("GET", self._path)
        if put.status != 200 or got.body != body:
            self.failure = f"after {self.done} rounds: {put} {got.status} {got.body[:200]!r}"
        self.done += 1


def _certificate(folder: Path) -> tuple[str, ...]:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return "--tls-cert", str(certificate), "--tls-key", str(key)


@pytest.mark.parametrize(
    ("tls", "workers", "restarts"), [(False, 2, 10), (True, 1, 3)], ids=["http", "https"]
)
@pytest.mark.timeout(400)
def test_no_request_fails_through_restarts(tmp_path: Path, tls: bool, workers: int, restarts: int):
    options = _certificate(tmp_path) if tls else ()
    with serving(tmp_path, "--workers", str(workers), *options, blades=1) as server:
        key = server.key("ann")
        with Wire(server, key) as wire:
            assert wire.ask("PUT", "/restarted").status == 200
        clients = [Client(server, key, number) for number in range(6)]
        for client in clients:
            client.start()
        seen = set(server.workers())
        try:
            for _ in range(restarts):
                done = [client.done for client in clients]
                server.reload()
                seen |= set(server.workers())
                # Each client has had to do with the new workers before the next ones come.
                wait_until(
                    lambda: all(
                        not client.is_alive() or client.done > before + 1
                        for client, before in zip(clients, done, strict=True)  # noqa: B023
                    )
                )
            time.sleep(6)
        finally:
            for client in clients:
                client.stop.set()
            for client in clients:
                client.join(90)
        assert [client.name for client in clients if client.is_alive()] == []
        assert [client.failure for client in clients if client.failure] == []
        assert len(seen) >= workers * (restarts + 1)
        assert "did not end in time" not in server.log
        wait_until(lambda: len(server.workers()) == workers)
