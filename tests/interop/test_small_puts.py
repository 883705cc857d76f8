"""Small objects that many clients put at once: each gets its own answer, and whoever leaves holds up nobody."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.interop.soaking import held
from tests.s3_wire import Ask, Wire, request_bytes, signed
from tests.serving import Key, Server, fetch, serving, wait_until

BODY = bytes(range(256)) * 100
CLIENTS = 24


def in_flight(server: Server) -> float:
    text = fetch(f"{server.url}/metrics")[1].decode()
    # The request that asks is one of them.
    return sum(map(float, re.findall(r"^maru_http_requests_in_flight\S* (\S+)$", text, re.MULTILINE)))


def test_each_client_gets_its_own_answer(server: Server) -> None:
    key = server.key("crowd")

    asked = [
        (client, f"/together/{turn}/{client // 2}", (client + turn) % 4)
        for turn in range(6)
        for client in range(CLIENTS)
    ]

    def put(number: int) -> list[tuple[int, str]]:
        told = []
        with Wire(server, key) as wire:
            for path, kind in [(path, kind) for client, path, kind in asked if client == number]:
                headers = {"if-none-match": "*"} if kind < 2 else {"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}
                answer = wire.ask("PUT", path if kind < 3 else "/nowhere/x", headers=headers, body=BODY)
                told.append((answer.status, path if answer.status == 200 else answer.code))
        return told

    with Wire(server, key) as wire:
        assert wire.ask("PUT", "/together").status == 200
    with ThreadPoolExecutor(CLIENTS) as pool:
        told = [one for client in pool.map(put, range(CLIENTS)) for one in client]
    kept = sorted(path for status, path in told if status == 200)
    # Of those who ask for one key, one has it.
    assert kept == sorted({path for _, path, kind in asked if kind < 2})
    codes = {code for status, code in told if status != 200}
    assert codes == {"PreconditionFailed", "BadDigest", "NoSuchBucket"}
    with Wire(server, key) as wire:
        assert all(wire.ask("GET", path).body == BODY for path in kept)


def leave(server: Server, key: Key, path: str, share: float) -> None:
    """Sends so much of a put and is gone."""
    ask = Ask("PUT", path, "", {}, BODY)
    sent = request_bytes(ask, signed(ask, key, f"127.0.0.1:{server.port}")[0])
    with socket.create_connection(("127.0.0.1", server.port)) as peer:
        peer.sendall(sent[: int(len(sent) * share)])


def test_clients_that_leave_in_mid_put_hold_up_nobody(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", blades=1) as server:
        key = server.key("leavers")
        with Wire(server, key) as wire:
            assert wire.ask("PUT", "/left").status == 200
            for number in range(30):
                leave(server, key, f"/left/{number}", (0.5, 0.99, 1.0)[number % 3])
            assert wire.ask("PUT", "/left/stayed", body=BODY).status == 200
            for number in range(30):
                told = wire.ask("GET", f"/left/{number}")
                # What was sent whole may have been put; of the rest there is nothing.
                assert told.status == 404 or (number % 3 == 2 and told.body == BODY)
        wait_until(lambda: in_flight(server) <= 1)
        assert "Traceback" not in server.log


def test_a_put_that_was_answered_leaves_nothing_in_memory(tmp_path: Path) -> None:
    with serving(tmp_path, "--workers", "1", "--no-care", blades=1) as server:
        body = BODY * 5
        with Wire(server, server.key("many")) as wire:
            assert wire.ask("PUT", "/again").status == 200

            def put(count: int) -> int:
                assert all(wire.ask("PUT", "/again/x", body=body).status == 200 for _ in range(count))
                return held(server.workers()[0]).memory_kib

            before = put(50)
            # The runtime has a copy of each body, and so would who kept both.
            assert put(400) - before < (400 * len(body) >> 10) // 4
