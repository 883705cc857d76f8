"""A server whose workers are killed, whose drives fill up or go away: what was acknowledged is there."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import connect
from maruhub.testing.logged_disk import Mounts
from tests.s3_wire import Ask, Told, Wire, request_bytes, signed
from tests.serving import Key, Server, maru, serving, wait_until

KILLS = 6
DRIVE_BYTES = 96 << 20
BALLAST_BYTES = 32 << 20
LARGE_BYTES = 2 << 20


class Writer(threading.Thread):
    """Puts objects of its own until told to stop; keeps what was acknowledged, goes on after a cut."""

    def __init__(self, server: Server, key: Key, number: int) -> None:
        super().__init__(name=f"writer-{number}")
        self._server, self._key, self._number = server, key, number
        self.acknowledged: dict[str, int] = {}
        self.odd: list[Told] = []
        self.stop = threading.Event()

    def body(self, seed: int) -> bytes:
        size = LARGE_BYTES if seed % 10 == 9 else 20_000
        return random.Random(seed).randbytes(1000) * (size // 1000)

    def run(self) -> None:
        count = 0
        while not self.stop.is_set():
            with contextlib.suppress(OSError), Wire(self._server, self._key) as wire:
                while not self.stop.is_set():
                    count += 1
                    seed = self._number * 100_000 + count
                    # Some keys again and again, so that an older body would show.
                    path = f"/faults/{self._number}/{count % 40}"
                    self.acknowledged.pop(path, None)
                    told = wire.ask("PUT", path, body=self.body(seed))
                    if told.status == 200:
                        self.acknowledged[path] = seed
                    elif told.status != 503 or "retry-after" not in told.headers:
                        self.odd.append(told)


@contextlib.contextmanager
def under_load(server: Server, writers: int = 4) -> Iterator[list[Writer]]:
    """Writers that write while the block runs; in the end each acknowledged body must be there."""
    key = server.key("ann")
    with Wire(server, key) as wire:
        assert wire.ask("PUT", "/faults").status == 200
    threads = [Writer(server, key, number) for number in range(writers)]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        for thread in threads:
            thread.stop.set()
        for thread in threads:
            thread.join(90)
    assert [thread.name for thread in threads if thread.is_alive()] == []
    assert [told for thread in threads for told in thread.odd] == []


def check_all_there(server: Server, writers: list[Writer]) -> None:
    """Every acknowledged put is there byte for byte, over HTTP and in another process."""
    assert sum(len(writer.acknowledged) for writer in writers) > 20
    with Wire(server, server.key("ann")) as wire, connect(server.hub) as hub:
        for writer in writers:
            for path, seed in writer.acknowledged.items():
                assert wire.ask("GET", path).body == writer.body(seed), path
                assert bytes(hub.bucket("faults")[path.removeprefix("/faults/")]) == writer.body(seed), path


@pytest.mark.timeout(300)
def test_killed_workers_lose_nothing_that_was_acknowledged(tmp_path: Path):
    with serving(tmp_path, "--workers", "2", blades=3) as server:
        with under_load(server) as writers:
            for number in range(KILLS):
                wait_until(lambda: len(server.workers()) == 2)
                time.sleep(0.3)
                victim = server.workers()[number % 2]
                os.kill(victim, signal.SIGKILL)
                wait_until(lambda victim=victim: victim not in server.workers())
            wait_until(lambda: len(server.workers()) == 2)
        check_all_there(server, writers)
        assert server.log.count("another one takes its place") == KILLS


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    with Mounts() as made:
        yield made


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.timeout(300)
def test_full_drives_refuse_writes_for_a_while_and_nothing_else(tmp_path: Path, mounts: Mounts):
    drives = []
    for number in range(3):
        drive = tmp_path / f"drive-{number}"
        drive.mkdir()
        mounts.mount("tmpfs", drive, "-t", "tmpfs", "-o", f"size={DRIVE_BYTES}")
        (drive / "ballast").write_bytes(bytes(BALLAST_BYTES))
        drives.append(drive)
    hub = tmp_path / "hub"
    words = [word for drive in drives for word in ("--blade", str(drive / "blade"))]
    maru(hub, "init", str(hub), *words)
    with serving(tmp_path, "--workers", "1", hub=hub) as server:
        key, kept = server.key("ann"), {}
        with Wire(server, key) as wire:
            assert wire.ask("PUT", "/full").status == 200
            for number in range(400):
                body = random.Random(number).randbytes(1000) * (LARGE_BYTES // 1000)
                told = wire.ask("PUT", f"/full/{number}", body=body)
                if told.status != 200:
                    break
                kept[f"/full/{number}"] = body
            assert told.status == 503
            assert told.headers["retry-after"]
            for path, body in kept.items():
                assert wire.ask("GET", path).body == body
            assert wire.ask("GET", f"/full/{number}").code == "NoSuchKey"
            for drive in drives:
                (drive / "ballast").unlink()
            wait_until(lambda: wire.ask("PUT", "/full/again", body=b"room").status == 200)
            assert wire.ask("GET", "/full/again").body == b"room"


@pytest.mark.timeout(300)
def test_two_lost_blades_change_no_byte(tmp_path: Path):
    with serving(tmp_path, "--workers", "2", blades=6) as server:
        folders = sorted(path for path in (server.hub / "blades").iterdir() if path.is_dir())
        with under_load(server) as writers:
            wait_until(lambda: all(len(writer.acknowledged) > 5 for writer in writers))
            for folder in folders[1:3]:
                folder.rename(folder.with_suffix(".away"))
            # The next worker finds them gone when it opens the hub; the other has their files open.
            before = server.workers()
            os.kill(before[0], signal.SIGKILL)
            wait_until(lambda: len(set(server.workers()) - set(before)) == 1)
            time.sleep(1)
        check_all_there(server, writers)
        for folder in folders[1:3]:
            folder.with_suffix(".away").rename(folder)
        check_all_there(server, writers)
        with Wire(server, server.key("ann")) as wire:
            wait_until(lambda: wire.ask("PUT", "/faults/back", body=b"back").status == 200)


def _answers(server: Server, key: Key, ask: Ask, invocation: str) -> Told:
    with Wire(server, key) as wire:
        return wire.ask(
            ask.method,
            ask.path,
            ask.query,
            headers={**ask.headers, "amz-sdk-invocation-id": invocation},
            body=ask.body,
        )


def test_a_conditional_write_whose_answer_was_lost_may_be_tried_again(tmp_path: Path):
    """The SDKs of AWS send the same invocation id with each try of one call."""
    with serving(tmp_path, "--workers", "2", blades=1) as server:
        key, other = server.key("ann"), server.key("bob", admin=True)
        host = f"127.0.0.1:{server.port}"
        with Wire(server, key) as wire:
            assert wire.ask("PUT", "/retried").status == 200
        for number, body in enumerate((b"small", bytes(LARGE_BYTES))):
            ask = Ask("PUT", f"/retried/{number}", "", {"if-none-match": "*"}, body)
            sent = Ask(ask.method, ask.path, "", {**ask.headers, "amz-sdk-invocation-id": "one"}, body)
            with socket.create_connection(("127.0.0.1", server.port)) as peer:
                peer.sendall(request_bytes(sent, signed(sent, key, host)[0]))
                # The answer is on its way; the connection is gone before anybody reads it.
                peer.recv(1)
            assert _answers(server, key, ask, "one").status == 200
            assert _answers(server, key, ask, "two").status == 412
            assert _answers(server, other, ask, "one").status == 412
            with Wire(server, key) as wire:
                assert wire.ask("PUT", ask.path, headers=dict(ask.headers), body=body).status == 412
                assert wire.ask("GET", ask.path).body == body
