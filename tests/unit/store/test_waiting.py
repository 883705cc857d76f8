"""Who waits for a turn: everybody who came before it had the index, each heard for itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import Unavailable
from maruhub.store.commit.job import Party
from maruhub.store.commit.turn import CommitTurn
from maruhub.store.commit.waiting import Take, Waiting
from maruhub.store.protocol import Proposal, Rows

PATIENCE_S = 30
THREADS = 6


def put(key: bytes) -> Callable[[Rows], None]:
    return lambda rows: rows.put(key, b"")


def party(count: int = 1) -> Party:
    return Party([Proposal(put(b"K%d" % number)) for number in range(count)])


def test_who_comes_while_another_has_the_index_comes_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[int] = []
    carry = CommitTurn._carry

    def counted(self: CommitTurn, txn: object, jobs: list[object]) -> object:
        turns.append(len(jobs))
        return carry(self, txn, jobs)  # type: ignore[arg-type]

    pool = compose.create_pool(tmp_path / "hub", n=1)
    pool.store.commit(put(b"Kfirst"))
    monkeypatch.setattr(CommitTurn, "_carry", counted)
    waiting = pool.store._writer_side().turn._waiting
    threads = [
        threading.Thread(target=pool.store.commit, args=(put(b"K%d" % number),)) for number in range(THREADS)
    ]
    # As another process's turn does.
    with pool.store._index.write():
        for thread in threads:
            thread.start()
        for _ in range(PATIENCE_S * 100):
            if len(waiting._parties) == THREADS:
                break
            threading.Event().wait(0.01)
        assert len(waiting._parties) == THREADS
    for thread in threads:
        thread.join()
    assert turns == [THREADS]
    assert len(pool.store.scan(b"K", b"L", 99)) == THREADS + 1
    pool.close()


def test_a_turn_that_fails_before_it_begins_is_everybodys_error() -> None:
    error = Unavailable("no index.")

    def turn(take: Take) -> None:
        raise error

    alone = party(3)
    Waiting(turn).serve(alone)
    assert [job.error for job in alone.jobs] == [error] * 3


def test_an_interrupt_before_a_turn_begins_is_the_leaders_alone() -> None:
    taken: list[int] = []
    interrupted, may_fail = threading.Event(), threading.Event()

    def turn(take: Take) -> None:
        if not interrupted.is_set():
            interrupted.set()
            assert may_fail.wait(PATIENCE_S)
            raise KeyboardInterrupt
        taken.append(len(take()))

    waiting = Waiting(turn)
    heard: list[BaseException] = []

    def lead() -> None:
        try:
            waiting.serve(party())
        except KeyboardInterrupt as interrupt:
            heard.append(interrupt)

    leader = threading.Thread(target=lead)
    leader.start()
    assert interrupted.wait(PATIENCE_S)
    other = party(2)
    follower = threading.Thread(target=waiting.serve, args=(other,))
    follower.start()
    for _ in range(PATIENCE_S * 100):
        if other in waiting._parties:
            break
        threading.Event().wait(0.01)
    may_fail.set()
    leader.join()
    follower.join(PATIENCE_S)
    assert len(heard) == 1
    assert taken == [2]
    assert [job.error for job in other.jobs] == [None, None]


def test_a_turn_has_a_bound_and_takes_at_least_one() -> None:
    taken: list[int] = []
    gate = threading.Event()

    def turn(take: Take) -> None:
        assert gate.wait(PATIENCE_S)
        taken.append(len(take()))

    waiting = Waiting(turn)
    parties = [party(2000), party(1000), party(24), party(1)]
    threads = []
    for number, one in enumerate(parties, 1):
        threads.append(threading.Thread(target=waiting.serve, args=(one,)))
        threads[-1].start()
        for _ in range(PATIENCE_S * 100):
            if len(waiting._parties) == number:
                break
            threading.Event().wait(0.01)
    gate.set()
    for thread in threads:
        thread.join()
    assert taken == [2000, 1024, 1]
