"""The Python client against a server in processes of its own: restarts, kills, rights."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maruhub
from maruhub import errors
from maruhub.gateway.serve.connections.straight import chunk, head_bytes
from maruhub.remote import RemoteHub
from maruhub.wire.stream import StreamReader, Window
from tests.interop.certificate import make_certificate
from tests.s3_wire import Ask, request_bytes, signed
from tests.serving import Server, serving

COUNT = 600


def connect(server: Server, user: str, *, admin: bool = False, **more: Any) -> RemoteHub:
    key = server.key(user, admin=admin)
    return maruhub.connect(server.url, access_key=key.access_key, secret_key=key.secret_key, **more)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("remote"), "--workers", "2") as running:
        with connect(running, "root", admin=True) as hub:
            rng = np.random.default_rng(5)
            hub.bucket("photos").put_many({f"{i:03}": rng.bytes(30_000 + i) for i in range(COUNT)})
            hub.dataset("cats").commit("photos")
        yield running


@pytest.fixture
def hub(server: Server) -> Iterator[RemoteHub]:
    with connect(server, "root", admin=True) as hub:
        yield hub


def flat(batches: Any) -> list[tuple[Any, ...]]:
    return [(b.epoch, b.step, b.ids, list(map(bytes, b.blobs)), b.positions.tolist()) for b in batches]


def expected(server: Server, **how: Any) -> list[tuple[Any, ...]]:
    with maruhub.connect(server.hub, read_only=True) as local:
        return flat(local.version("cats").batches(16, seed=3, **how))


def test_an_epoch_is_that_of_the_hub_itself(server: Server, hub: RemoteHub) -> None:
    batches = hub.version("cats").batches(16, seed=3, epochs=2)
    assert flat(batches) == expected(server, epochs=2)


def test_new_workers_in_mid_epoch_are_not_noticed(server: Server, hub: RemoteHub) -> None:
    batches = hub.version("cats").batches(16, seed=3, epochs=3, prefetch=1 << 20)
    got = [next(batches) for _ in range(10)]
    server.reload()
    got += [next(batches) for _ in range(40)]
    server.reload()
    assert flat([*got, *batches]) == expected(server, epochs=3)


def test_workers_killed_in_mid_epoch_are_a_pause(server: Server, hub: RemoteHub) -> None:
    batches = hub.version("cats").batches(16, seed=3, epochs=4, prefetch=1 << 20)
    got = []
    for _ in range(3):
        got += [next(batches) for _ in range(20)]
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
    assert flat([*got, *batches]) == expected(server, epochs=4)


def test_the_owner_may_and_others_may_not(server: Server, hub: RemoteHub) -> None:
    with connect(server, "ann") as ann, connect(server, "bob") as bob:
        ann.bucket("hers").put_many({"a": b"1", "b": b"2"})
        assert ann.bucket("hers").get_many(["a", "b"]) == [b"1", b"2"]
        assert hub.bucket("hers").history("a")[0].actor == "ann"
        for act in (
            lambda: bob.bucket("hers").get_many(["a"]),
            lambda: bob.bucket("hers").put("a", b"3"),
            lambda: bob.bucket("hers").stat("a"),
            lambda: list(bob.bucket("hers")),
            lambda: bob.bucket("hers").delete_many(["a"]),
            lambda: ann.dataset("hers").commit("hers"),
            lambda: bob.version("cats").ids(),
        ):
            with pytest.raises(errors.Refused):
                act()
        found = bob.bucket("nowhere").get_many
        with pytest.raises(errors.NoSuchBucket):
            found(["a"])
        assert hub.bucket("hers")["a"] == b"1"


TRAINER = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "maru:Train"],
            "Resource": "arn:aws:s3:::dataset/cats/*",
        },
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::dataset"},
    ],
}


def test_a_trainer_records_what_it_reads_and_no_more(server: Server, hub: RemoteHub, tmp_path: Path) -> None:
    hub.version("cats").split("train")
    (tmp_path / "trainer.json").write_text(json.dumps(TRAINER))
    policy = server.key("trainer", policy=tmp_path / "trainer.json")
    with (
        maruhub.connect(server.url, access_key=policy.access_key, secret_key=policy.secret_key) as trainer,
        connect(server, "bob") as bob,
    ):
        cats = trainer.version("cats")
        with trainer.run(cats.split("train"), name="night") as run:
            for step, _ in enumerate(cats.split("train").batches(16, seed=1, run=run)):
                run.log(step, loss=1 / (step + 1))
                if step == 3:
                    server.reload()
        score = trainer.evaluate(run, cats.split("test"), {"accuracy": 0.5})
        assert score.held_out
        with pytest.raises(errors.NotHeldOut):
            trainer.evaluate(run, cats.split("train"), {"accuracy": 0.5})
        info = hub.runs.get(run.id).info
        assert (info.actor, info.state) == ("trainer", "finished")
        assert sum(claim.reads.samples() for claim in hub.runs.get(run.id).reads()) == info.samples
        for act in (
            lambda: bob.run(cats, name="bob's"),
            lambda: bob.runs.get(run.id),
            lambda: bob.evaluate(run.id, cats, {"accuracy": 1.0}),
            lambda: trainer.dataset("cats").commit("photos"),
            lambda: trainer.dataset("cats").drop("v1"),
            lambda: trainer.bucket("photos").get_many(["001"]),
            lambda: trainer.ingest(tmp_path, "photos"),
        ):
            with pytest.raises(errors.Refused):
                act()
        assert len(hub.runs.get(run.id).scores()) == 1


def test_a_hub_of_ones_own_authority_is_trusted_by_who_has_it(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "127.0.0.1")
    options = ("--tls-cert", str(certificate.chain), "--tls-key", str(certificate.key))
    with serving(tmp_path, *options, "--workers", "1", blades=1) as server:
        with connect(server, "root", admin=True, ca=str(certificate.authority)) as hub:
            hub.bucket("photos").put_many({"a": b"1", "b": b"2"})
            hub.dataset("cats").commit("photos")
            server.reload()
            ids = [sample for batch in hub.version("cats").batches(1) for sample in batch.ids]
            assert sorted(ids) == ["photos/a", "photos/b"]
        with connect(server, "root", admin=True) as stranger:
            with pytest.raises(errors.Unavailable) as told:
                stranger.buckets()
            assert "ca=" in told.value.hint


def test_a_key_that_nobody_has_is_refused(server: Server) -> None:
    nobody = maruhub.connect(server.url, access_key="AKNOBODY", secret_key="x")
    with nobody, pytest.raises(errors.Refused, match="AKNOBODY"):
        nobody.buckets()


def test_a_place_without_a_hub_is_told(server: Server) -> None:
    nowhere = maruhub.connect("http://127.0.0.1:9", access_key="a", secret_key="b", patience_s=0.1)
    with nowhere, pytest.raises(errors.Unavailable, match=r"127\.0\.0\.1:9"):
        nowhere.buckets()


def test_a_large_file_goes_both_ways(server: Server, hub: RemoteHub, tmp_path: Path) -> None:
    data = np.random.default_rng(1).bytes(70 << 20)
    (tmp_path / "large").write_bytes(data)
    with (tmp_path / "large").open("rb") as file:
        info = hub.bucket("photos").put("large", file)
    assert info.size == len(data)
    assert b"".join(hub.bucket("photos").pieces("large")) == data


def held_bytes(server: Server) -> int:
    """Memory of its own of the largest worker."""
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in server.workers()]
    # One that is on its way out after a reload holds nothing.
    return max(int(text.split("RssAnon:")[1].split()[0]) << 10 for text in texts if "RssAnon:" in text)


def test_a_client_that_reads_slowly_does_not_fill_the_server(server: Server, hub: RemoteHub) -> None:
    before = held_bytes(server)
    batches = hub.version("cats").batches(16, seed=3, epochs=None, prefetch=1 << 20)
    for _ in range(5):
        next(batches)
        time.sleep(0.4)
        assert held_bytes(server) - before < 80 << 20
    batches.close()


def test_an_answer_that_is_taken_late_comes_whole(server: Server, hub: RemoteHub) -> None:
    batches = hub.version("cats").batches(16, seed=3, epochs=3, prefetch=1 << 20)
    first = next(batches)
    time.sleep(1)
    assert flat([first, *batches]) == expected(server, epochs=3)


def test_the_runtime_sends_heads_and_chunks_as_long_as_they_are_taken_to_be(
    server: Server, hub: RemoteHub
) -> None:
    """What is sent past the runtime rests on it; and the connection goes on after it."""
    keys = [f"{i:03}" for i in range(COUNT)]
    body = json.dumps({"format": 1, "objects": [{"bucket": "photos", "keys": keys}]}).encode()
    ask = Ask("POST", "/-/batch/v1/read", body=body)
    key = server.key("root", admin=True)
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as peer:
        for _ in range(2):
            peer.sendall(request_bytes(ask, signed(ask, key, f"127.0.0.1:{server.port}")[0]))
            raw = b""
            while not raw.endswith(b"\r\n0\r\n\r\n"):
                raw += peer.recv(1 << 20)
            head, _, rest = raw.partition(b"\r\n\r\n")
            lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
            told = [(name, value) for name, value in lines if name not in ("date", "transfer-encoding")]
            assert len(head) + 4 == head_bytes(200, told)
            assert len(told) == len(lines) - 2
            chunks, reader, items = [], StreamReader(), 0
            while rest:
                size, _, rest = rest.partition(b"\r\n")
                chunks.append(rest[: int(size, 16)])
                rest = rest[int(size, 16) + 2 :]
                items += sum(len(each.items) for each in reader.feed(chunks[-1]) if isinstance(each, Window))
            assert reader.ended
            assert items == COUNT
            assert len(head) + 4 + sum(sum(map(len, chunk([each]))) for each in chunks) == len(raw)
