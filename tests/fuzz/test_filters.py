"""Filters that run away, sent by somebody who may read one dataset: each is refused, and the worker stays as it is."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

import maruhub
from maruhub.errors import Busy, InvalidInput, MaruError
from maruhub.remote import RemoteHub
from tests.fuzz.prober import AT_ONCE, COUNT, SEED
from tests.serving import Key, Server, serving
from tests.unit.catalog.filters import BAD, GOOD, ROWS, table

GROWTH_MIB: Final = 200
"""What it may go on holding: its threads' arenas, and views that are kept."""
PEAK_MIB: Final = 400
"""What a worker may hold for a moment above what it held before, while as many filters come as it has threads."""
_READING: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::dataset/cats/*"},
    ],
}
_HEAVY: Final = [
    "lower(upper(id)) || lower(id) || id::VARCHAR = '@'",
    "regexp_matches(id, '(a|b|[0-9]){1,50}@x')",
    "id IN (" + ",".join(f"'photos/@{i}'" for i in range(2_000)) + ")",
    " OR ".join(f"size * {i} + @ = size" for i in range(60)),
    "regexp_matches(id, '\\p{L}{1,9}@')",
    "CASE WHEN id ILIKE '%@%_a%' THEN size > 3 ELSE contains(id, reverse(id)) END",
]
_SOUP: Final = """
    ( ) [ ] { } , . ; : :: + - * / % ^ = <> < > <= >= || -> ->> ? $1 $$ ' " '' '''' 'x' "id" id size cats x 1 -1 2.5 1e308
    NULL TRUE AND OR NOT IN IS LIKE ILIKE BETWEEN ESCAPE CASE WHEN THEN ELSE END CAST( AS VARCHAR) ::INTEGER ::BLOB DATE
    SELECT FROM WHERE range(9999999999) repeat(id,999999999) WITH RECURSIVE UNION ALL GROUP BY ORDER LIMIT EXISTS( ANY(
    lower( upper( concat( list_value( COLUMNS(*) x-> lambda OVER() DISTINCT FILTER( -- /* */ E' \\ \x00 \u00a0 \u202e é 🐈
"""


@dataclass(frozen=True)
class Reader:
    """Somebody who may read the dataset ``cats``, and nothing else.

    Args:
        server: Of one worker, so that what it holds can be watched.
        hubs: As many connections to it as its threads need.
    """

    server: Server
    hubs: Sequence[RemoteHub]

    def opened(self, text: str, number: int = 0) -> dict[str, Any] | MaruError:
        """What becomes of a filter."""
        source = {"dataset": "cats", "version": "latest", "operations": [["where", text]]}
        try:
            told: dict[str, Any] = self.hubs[number % len(self.hubs)].transport.call(
                "view.open", source=source
            )
        except (InvalidInput, Busy) as refused:
            return refused
        return told

    def all_opened(self, texts: list[str]) -> list[dict[str, Any] | MaruError]:
        """What becomes of each, many asked at a time; the worker lives, answers, and holds what it did."""
        assert self.opened("size > 3") == self.opened("NOT (size <= 3)")
        worker, held, peak = self.server.workers(), self._mib("VmRSS"), self._mib("VmHWM")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            told = list(pool.map(self.opened, texts, range(len(texts))))
        assert self.opened("size > 3") == self.opened("size >= 4")
        assert self.server.workers() == worker, self.server.log
        assert "Traceback" not in self.server.log, self.server.log[-4000:]
        print(f"held {held} MiB, then {self._mib('VmRSS')}; at most {peak} MiB, then {self._mib('VmHWM')}")
        assert self._mib("VmRSS") < held + GROWTH_MIB
        assert self._mib("VmHWM") < peak + PEAK_MIB
        return told

    def _mib(self, what: str) -> int:
        status = Path(f"/proc/{self.server.workers()[0]}/status").read_text()
        found = re.search(rf"{what}:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) >> 10


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("filtered")
    policy = folder / "reading.json"
    policy.write_text(json.dumps(_READING))
    with ExitStack() as stack:
        server = stack.enter_context(serving(folder, "--workers", "1", "--no-care", blades=1))

        def connected(key: Key) -> RemoteHub:
            made = maruhub.connect(server.url, access_key=key.access_key, secret_key=key.secret_key)
            return stack.enter_context(made)

        admin = connected(server.key("admin", admin=True))
        admin.bucket("photos").put_many({f"{i:06}.jpg": b"x" * (i % 99) for i in range(ROWS)})
        admin.dataset("cats").commit("photos")
        admin.dataset("cats").label(table().drop_columns(["size", "created", "mtime"]))
        key = server.key("reader", policy=policy)
        yield Reader(server, [connected(key) for _ in range(4)])


def test_filters_that_run_away_are_refused(reader: Reader) -> None:
    asked = [text for text in BAD if text]
    for text, told in zip(asked, reader.all_opened(asked), strict=True):
        assert isinstance(told, InvalidInput), (text[:200], told)


def test_filters_that_people_write_are_answered(reader: Reader) -> None:
    with maruhub.connect(reader.server.hub, read_only=True) as hub:
        here = [hub.version("cats").where(text).digest for text in GOOD]
    for text, digest, told in zip(GOOD, here, reader.all_opened(GOOD), strict=True):
        assert isinstance(told, dict), (text, told)
        assert told["digest"] == digest, text


def test_filters_as_heavy_as_may_be_keep_their_bounds(reader: Reader) -> None:
    asked = [text.replace("@", str(i)) for text in _HEAVY for i in range(20)]
    told = reader.all_opened(asked)
    assert sum(isinstance(each, dict) for each in told) > len(asked) // 2, told[:3]


def test_whatever_is_sent_is_a_view_or_a_refusal(reader: Reader) -> None:
    rng = random.Random(SEED)
    asked = [" ".join(rng.choices(_SOUP.split(), k=rng.randrange(1, 12))) for _ in range(COUNT)]
    reader.all_opened(asked)
