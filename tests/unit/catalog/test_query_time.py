"""The time that queries of strangers may take: all of a block together, and an end that is one."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from maruhub.catalog import query
from maruhub.errors import InvalidInput
from tests.unit.catalog.filters import found

LIMIT_S = 2.0
DEAF = 3


class Running:
    """A connection that passes over some interrupts, as DuckDB does while it prepares a query."""

    def __init__(self, deaf: int = 0) -> None:
        self._deaf = deaf
        self.ended = threading.Event()

    def interrupt(self) -> None:
        if not self._deaf:
            self.ended.set()
        self._deaf -= 1


def test_an_interrupt_that_was_passed_over_is_not_the_last() -> None:
    running = Running(DEAF)
    with query.for_strangers(0.01), query._in_time(running):
        assert running.ended.wait(30)


def test_queries_of_a_block_have_their_time_together() -> None:
    first, second = Running(), Running()
    with query.for_strangers(LIMIT_S):
        with query._in_time(first):
            assert first.ended.wait(30)
        with query._in_time(second):
            assert second.ended.wait(LIMIT_S / 2), "it has a time of its own"


def test_who_is_in_time_is_not_interrupted() -> None:
    running = Running()
    with query._in_time(running):
        pass
    with query.for_strangers(60), query._in_time(running):
        pass
    assert not running.ended.is_set()


def test_a_block_in_another_has_no_more_time_than_that_has_left() -> None:
    running = Running()
    with query.for_strangers(0.01), query.for_strangers(3600), query._in_time(running):
        assert running.ended.wait(30)


def test_a_filter_that_takes_long_is_ended() -> None:
    long = pa.table({"id": ["ab" * 500 + str(i) for i in range(200_000)]})
    text = " OR ".join(f"lower(id) LIKE '%{i}_b%x'" for i in range(60))
    with query.for_strangers(0.05), pytest.raises(InvalidInput, match="longer than"):
        found(long, text)
