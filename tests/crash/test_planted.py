"""One safeguard is taken away at a time; the simulated trials must then report a loss.

A harness that stays green here proves nothing elsewhere. The same plans with all safeguards
in place are green: the last test.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace

import pytest

from maruhub.store.commit import clock, turn, writer
from maruhub.store.commit.log import Log
from maruhub.store.commit.unborn import Unborn
from maruhub.store.copies import Copies
from maruhub.store.format.batch import BatchHead
from maruhub.store.format.header import log_name
from maruhub.store.format.keys import Tail
from maruhub.store.read import checking
from maruhub.store.recover import recovery
from maruhub.store.recover.chain import Chain
from maruhub.store.recover.evidence import Evidence
from maruhub.store.recover.log_search import LogSearch
from maruhub.testing.machine import Machine, ProcessIndex, replayable
from maruhub.testing.store_script import Lost, Model, make_script, run_step
from maruhub.testing.trial import Plan, Tally, count_calls

Plant = Callable[[pytest.MonkeyPatch], None]


def skip_sync_of_logs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Log, "sync", lambda log: setattr(log, "dirty", False))


def skip_sync_of_names(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Copies, "sync_names", lambda copies: None)


def skip_sync_of_headers(patch: pytest.MonkeyPatch) -> None:
    class Hasty(Copies):
        hurry = True

        def sync(self) -> None:
            if self.hurry:
                self.hurry = False
            else:
                super().sync()

    patch.setattr(writer, "Copies", Hasty)


def skip_evidence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Evidence, "confirms", lambda evidence, head: True)


def skip_void_rule(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recovery, "_without_void", lambda heads: {head.first for head in heads})


def skip_leap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(clock, "_LEAP", 0)


def skip_chain_when_writing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(turn, "decode_tail", lambda value: Tail(0, 0))


def skip_chain_and_void_rule_when_reading(patch: pytest.MonkeyPatch) -> None:
    """Each of the two covers for the other here; whatever is whole counts without both."""

    def all_whole(chain: Chain, head: BatchHead, floor: int) -> list[BatchHead]:
        return [found for found in chain.candidates(floor) if found.offset <= head.offset][::-1]

    patch.setattr(Chain, "back_from", all_whole)
    skip_void_rule(patch)


def remove_every_log_without_batches(patch: pytest.MonkeyPatch) -> None:
    def remove(search: LogSearch, unborn: Unborn, *, is_anew: bool) -> None:
        for segment, copies in search.orphans._logs:
            search.orphans._remove(log_name(segment), copies)

    patch.setattr(LogSearch, "settle_orphans", remove)


def commit_index_before_sync(patch: pytest.MonkeyPatch) -> None:
    waiting: list[Log] = []
    sync, write = Log.sync, ProcessIndex.write

    @contextlib.contextmanager
    def write_first(index: ProcessIndex) -> Iterator[object]:
        waiting.clear()
        with write(index) as txn:
            yield txn
        for log in waiting:
            sync(log)

    patch.setattr(Log, "sync", lambda log: waiting.append(log))
    patch.setattr(ProcessIndex, "write", write_first)


POWER = [Plan(seed) for seed in range(6)]
KILLED = [Plan(seed, power=False) for seed in range(100, 112)]
REDUCED = [Plan(seed, blades=3, missing=(1, 2)) for seed in range(12)]
PLANTED: dict[Plant, Sequence[Plan]] = {
    skip_sync_of_logs: POWER,
    skip_sync_of_names: POWER,
    skip_sync_of_headers: POWER,
    skip_evidence: POWER,
    commit_index_before_sync: POWER,
    remove_every_log_without_batches: POWER,
    skip_chain_when_writing: POWER,
    skip_void_rule: KILLED,
    skip_chain_and_void_rule_when_reading: KILLED,
    skip_leap: REDUCED,
}


def run_all(plans: Sequence[Plan], step: int) -> None:
    """Ends each plan at each ``step``-th call of its script."""
    for plan in plans:
        Tally().run([plan.at(call) for call in range(1, count_calls(plan) + 1, step)])


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_planted_fault_is_reported(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    plant(monkeypatch)
    with pytest.raises(Lost):
        run_all(PLANTED[plant], 5)


def _read_rotten() -> None:
    with replayable(3):
        machine, model = Machine(3), Model()
        process = machine.start()
        for step in make_script(4, 12):
            run_step(process.store, step, model)
        chance = random.Random(3)
        for platter in machine.platters[:2]:
            for name, inode in platter.files.items():
                for _ in range(20):
                    platter.rot(name, chance.randrange(len(inode.data)))
        model.settle(process.store)


class _Equal:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_planted_skip_of_sums_is_reported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checking, "xxhash", SimpleNamespace(xxh3_64_intdigest=lambda data: _Equal()))
    with pytest.raises(Lost):
        _read_rotten()


def test_planted_plans_are_green_with_all_safeguards():
    _read_rotten()
    for plans in (POWER, KILLED, REDUCED):
        run_all(plans[:6], 29)
