"""A mixed load for as long as one likes: what clients do on a day, and what they do wrong."""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from maruhub.wire.stream import StreamReader
from tests.s3_wire import Ask, Told, Wire, presigned, request_bytes, signed
from tests.serving import Key, Server

KEYS: Final = 40
PART_BYTES: Final = 5 << 20
BUCKET: Final = "soak"


@dataclass(frozen=True)
class Held:
    """What a worker holds at a moment: memory that is no file's in KiB, and descriptors.

    Those of segments are counted apart: they follow what the hub holds, up to a bound of their own.
    """

    memory_kib: int
    descriptors: int
    of_segments: int


def held(pid: int) -> Held:
    """What a process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    kib = int(status.split("RssAnon:")[1].split()[0])
    names = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            names.append(os.readlink(link))
    of_segments = sum("/segments/" in name for name in names)
    return Held(kib, len(names) - of_segments, of_segments)


@dataclass
class Client(threading.Thread):
    """One client: requests drawn by a seed, each answer checked, with a pause between them.

    Its keys are its own, and always the same: what the hub holds grows by overwriting alone.
    """

    server: Server
    key: Key
    number: int
    pause_s: float
    stop: threading.Event
    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._rng = random.Random(self.number)
        self._wire = Wire(self.server, self.key)
        self._there: dict[str, bytes] = {}

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        kinds = (
            [self._put] * 6 + [self._get] * 12 + [self._range] * 4 + [self._list, self._copy, self._batch]
            + [self._remove, self._link, self._missing, self._forged, self._cut_body, self._cut_answer]
            + [self._large, self._parts, self._tags]
        )  # fmt: skip
        while not self.stop.wait(self.pause_s):
            kind = self._rng.choice(kinds)
            try:
                kind()
            except Exception as error:
                self.wrong.append(f"{kind.__name__}: {error!r}")
                self._wire = Wire(self.server, self.key)
            self.done[kind.__name__.strip("_")] += 1
        self._wire.close()

    # ------------------------------------------------------------ what is right

    def _ask(self, method: str, path: str, query: str = "", *, status: int = 200, body: bytes = b"") -> Told:
        told = self._wire.ask(method, f"/{BUCKET}/{path}", query, body=body)
        assert told.status == status, told
        return told

    def _key(self) -> str:
        return f"{self.number}/{self._rng.randrange(KEYS)}"

    def _some(self) -> str:
        if not self._there:
            self._put()
        return self._rng.choice(sorted(self._there))

    def _put(self) -> None:
        key, body = self._key(), self._rng.randbytes(self._rng.choice((0, 100, 50_000, 50_000, 200_000)))
        self._ask("PUT", key, body=body)
        self._there[key] = body

    def _large(self) -> None:
        key, body = f"{self.number}/large", self._rng.randbytes(3 << 20)
        self._ask("PUT", key, body=body)
        self._there[key] = body

    def _get(self) -> None:
        key = self._some()
        assert self._ask("GET", key).body == self._there[key]

    def _range(self) -> None:
        key = self._some()
        told = self._wire.ask("GET", f"/{BUCKET}/{key}", headers={"range": "bytes=10-99"})
        assert told.body == self._there[key][10:100] if len(self._there[key]) > 10 else told.status == 416

    def _list(self) -> None:
        query = f"list-type=2&prefix={self.number}%2F"
        assert self._ask("GET", "", query).body.count(b"<Key>") == len(self._there)

    def _copy(self) -> None:
        source, key = self._some(), self._key()
        told = self._wire.ask(
            "PUT", f"/{BUCKET}/{key}", headers={"x-amz-copy-source": f"/{BUCKET}/{quote(source)}"}
        )
        if source != key:
            assert told.status == 200, told
            self._there[key] = self._there[source]

    def _remove(self) -> None:
        key = self._some()
        self._ask("DELETE", key, status=204)
        del self._there[key]

    def _tags(self) -> None:
        key = self._some()
        tags = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
        self._ask("PUT", key, "tagging", body=tags)
        assert b"<Value>b</Value>" in self._ask("GET", key, "tagging").body

    def _link(self) -> None:
        key = self._some()
        ask = presigned(Ask("GET", f"/{BUCKET}/{key}"), self.key, self._wire.host, now=time.time())
        told = self._wire.plain("GET", ask.target, [("host", self._wire.host)])
        assert told.body == self._there[key]

    def _parts(self) -> None:
        key = f"{self.number}/parts"
        begun = self._ask("POST", key, "uploads").body
        upload = begun.split(b"<UploadId>")[1].split(b"</UploadId>")[0].decode()
        bodies = [self._rng.randbytes(PART_BYTES), b"end"]
        told = [
            self._ask("PUT", key, f"partNumber={n}&uploadId={upload}", body=body)
            for n, body in enumerate(bodies, 1)
        ]
        if self._rng.random() < 0.5:
            self._ask("DELETE", key, f"uploadId={upload}", status=204)
            return
        parts = "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{each.headers['etag']}</ETag></Part>"
            for n, each in enumerate(told, 1)
        )
        document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        self._ask("POST", key, f"uploadId={upload}", body=document)
        self._there[key] = b"".join(bodies)

    def _batch(self) -> None:
        keys = [self._some() for _ in range(20)]
        wanted = {"format": 1, "objects": [{"bucket": BUCKET, "keys": [*keys, "nobody"]}]}
        told = self._wire.ask("POST", "/-/batch/v1/read", body=json.dumps(wanted).encode())
        assert told.status == 200, told
        assert len(list(StreamReader().feed(told.body))) > 1

    # ------------------------------------------------------------ what is wrong

    def _missing(self) -> None:
        self._ask("GET", f"{self.number}/never", status=404)

    def _forged(self) -> None:
        forged = Key(self.key.access_key, "x" * 40, self.key.user)
        with Wire(self.server, forged, source=f"127.2.{self.number}.{self._rng.randrange(1, 250)}") as wire:
            assert wire.ask("GET", f"/{BUCKET}/{self.number}/0").status in (403, 503)

    def _cut_body(self) -> None:
        """A client that leaves in the midst of its upload."""
        size = self._rng.choice((1000, 2 << 20))
        ask = Ask("PUT", f"/{BUCKET}/{self.number}/cut", "", {"content-length": str(size)})
        head = request_bytes(ask, signed(ask, self.key, self._wire.host, payload="UNSIGNED-PAYLOAD")[0])
        with socket.create_connection(("127.0.0.1", self.server.port), 10) as peer, suppress(OSError):
            peer.sendall(head + bytes(size // 2))

    def _cut_answer(self) -> None:
        """A client that leaves in the midst of its download."""
        key = max(self._there, key=lambda name: len(self._there[name]), default=self._some())
        ask = Ask("GET", f"/{BUCKET}/{key}")
        with socket.create_connection(("127.0.0.1", self.server.port), 10) as peer:
            peer.sendall(request_bytes(ask, signed(ask, self.key, self._wire.host)[0]))
            peer.recv(1000)
