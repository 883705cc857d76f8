"""Sends what no client would, and holds the server to what it owes: an answer, its data, its memory."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from maruhub import Hub
from maruhub.index.protocol import AFTER_ALL
from tests.s3_wire import Ask, Headers, Told, Wire, exchange, request_bytes, signed
from tests.serving import Key, Server

COUNT: Final = int(os.environ.get("MARU_FUZZ_COUNT", "200"))
"""How many inputs of each kind; a release asks for far more."""
SEED: Final = int(os.environ.get("MARU_FUZZ_SEED", "1"))
BATCH: Final = 50
AT_ONCE: Final = 32
GROWTH_MIB: Final = 150
"""What a worker may grow by over one test: its threads' arenas and caches, and no input of a fuzzer."""
T = TypeVar("T")
_GONE: Final = ("400", "431")


class Prober:
    """One server under fire, and the guarded bucket that must stay as it is.

    Args:
        server: Of one worker, so that what it holds can be watched.
        hub: The same hub, opened beside the server.
    """

    def __init__(self, server: Server, hub: Hub) -> None:
        self.server = server
        self._hub = hub
        self.key: Key = server.key("owner")
        self.host = f"127.0.0.1:{server.port}"
        self.rng = random.Random(SEED)
        self.sent = 0
        print(f"seed {SEED}, {COUNT} of each kind")
        self._good = Wire(server, self.key)
        for path, body in (("/guarded", b""), ("/guarded/k", b"bytes"), ("/open", b"")):
            assert self._good.ask("PUT", path, body=body).status == 200
        self._worker = server.workers()
        self._size_mib = self._rss_mib()

    # ------------------------------------------------------------ sending

    def signed(self, ask: Ask, *, payload: str | None = None) -> Headers:
        """The headers of a request as its owner signs it."""
        return signed(ask, self.key, self.host, payload=payload)[0]

    def raw(self, ask: Ask, *, payload: str | None = None) -> bytes:
        """A request that is right, as it stands on the wire."""
        return request_bytes(ask, self.signed(ask, payload=payload))

    def send(self, raw: bytes, *, patience_s: float | None = None) -> Told | None:
        """Sends bytes from one of many addresses; checks that what comes back is an answer of S3.

        None if the server only closed, as it may on what is no HTTP or ends before its time.
        """
        told = exchange(self.server.port, raw, source=self._source(), patience_s=patience_s)
        self.sent += 1
        if told is not None:
            check_answer(told, raw)
        return told

    def _source(self) -> str:
        a, b = self.rng.randrange(1, 250), self.rng.randrange(1, 250)
        return f"127.1.{a}.{b}"

    def all_refused(self, asks: Iterable[tuple[str, bytes]]) -> None:
        """Each is refused, by a 4xx or by the end of the connection, and changes nothing."""
        for batch in batched(asks, BATCH):
            before = self.rows()
            for why, raw in batch:
                told = self.send(raw)
                refused = told is None or 400 <= told.status < 500 or told.code == "NotImplemented"
                assert refused, (why, told, raw[:2000])
            assert self.rows() == before, [why for why, _ in batch]
            self.check_well()

    def all_answered(self, raws: Iterable[bytes]) -> None:
        """Each is answered or its connection closed; what the guarded bucket holds stays.

        Many at a time: most of what is cut short has to be waited for.
        """

        def answered(raw: bytes, source: str) -> None:
            told = exchange(self.server.port, raw, source=source, patience_s=0.5)
            if told is not None:
                check_answer(told, raw)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            for batch in batched(raws, 10 * AT_ONCE):
                list(pool.map(answered, batch, [self._source() for _ in batch]))
                self.sent += len(batch)
                self.check_well()

    # ------------------------------------------------------------ what must hold

    def rows(self) -> list[tuple[bytes, bytes]]:
        """Everything that the hub knows but for what it notes of its own blades."""
        found = self._hub.store._index.scan(b"", AFTER_ALL, 1_000_000)
        return [item for item in found if not item[0].startswith(b"\x01")]

    def check_well(self) -> None:
        """A good round trip; the same worker, of about the same size; the guarded bucket as it was."""
        body = str(self.sent).encode()
        assert self._good.ask("PUT", "/open/round-trip", body=body).status == 200
        assert self._good.ask("GET", "/open/round-trip").body == body
        assert self._good.ask("GET", "/guarded/k").body == b"bytes"
        assert self._good.ask("DELETE", "/open/round-trip").status == 204
        assert self.server.workers() == self._worker, self.server.log
        assert "Traceback" not in self.server.log, self.server.log[-4000:]
        assert self._rss_mib() < self._size_mib + GROWTH_MIB

    def good(self) -> Wire:
        """The owner's own connection."""
        return self._good

    def _rss_mib(self) -> int:
        text = Path(f"/proc/{self.server.workers()[0]}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        assert found is not None
        return int(found[1]) >> 10


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of ``size``, the last one shorter."""
    each = iter(items)
    while batch := list(islice(each, size)):
        yield batch


def check_answer(told: Told, raw: bytes) -> None:
    """A success, a document of an error that is the client's, or HTTP's own bare refusal."""
    bare = not told.body and str(told.status) in _GONE
    head = raw.lstrip(b"\r\n")[:4] == b"HEAD" or told.status in (304, 204)
    refused = told.status in (501, 503) if head else told.code in ("NotImplemented", "SlowDown")
    assert told.status < 500 or refused, (told, raw[:2000])
    assert told.status < 400 or told.code or bare or head, (told, raw[:2000])
