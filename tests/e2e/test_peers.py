"""Drivers of loaders answer as the benchmarks ask: those that need nothing but this project, as processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.harness import Bench
from benchmarks.numbered import Numbered, fifty_kb, mix, records, retinanet
from benchmarks.peers.crew import Crew
from benchmarks.peers.process import PeerFailed, PeerProcess, Side
from benchmarks.samples import write_files

SAMPLES = Numbered("2 KB", [2000] * 300)
PLAIN = Side("files: 4 threads", "plain", "", "files", threads=4)
HUB = Side("hub", "hub", "", "hub")
NOWHERE = Side("elsewhere", "plain", "no-such-environment", "files")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stores")
    write_files(folder / "files", SAMPLES)
    return folder


@pytest.fixture(params=[PLAIN, HUB], ids=lambda side: side.module)
def peer(request: pytest.FixtureRequest, stores: Path) -> Iterator[PeerProcess]:
    process = PeerProcess(request.param, stores)
    process.wait_until_ready()
    if request.param is HUB and not (stores / "hub").exists():
        words = {"files": str(stores / "files"), "target": str(stores / "hub"), "shard": 1 << 20}
        assert process.ask("pack", **words)["seconds"] > 0
    yield process
    process.end()


def _words(peer: PeerProcess, stores: Path) -> dict[str, object]:
    return {"data": str(stores / peer.side.store), "how": peer.side.told(16)}


def test_an_epoch_has_every_sample_once_in_another_order_each_time(peer: PeerProcess, stores: Path):
    peer.ask("open", **_words(peer, stores))
    orders = [peer.ask("order", seed=seed)["order"] for seed in (1, 2)]
    assert [sorted(order) for order in orders] == [list(range(len(SAMPLES)))] * 2
    assert orders[0] != orders[1]
    assert orders[0] != sorted(orders[0])


def test_a_lap_counts_what_the_trainer_got(peer: PeerProcess, stores: Path):
    peer.ask("open", **_words(peer, stores))
    warm = peer.ask("lap", seed=1)
    peer.ask("close")
    for found in (warm, peer.ask("cold", **_words(peer, stores), seed=2)):
        assert (found["samples"], found["bytes"]) == (len(SAMPLES), SAMPLES.size_bytes)
        assert found["seconds"] > 0


def test_accelerators_compute_for_the_share_that_is_said(peer: PeerProcess, stores: Path):
    peer.ask("open", **_words(peer, stores))
    found = peer.ask("train", seed=1, accelerators=2, steps=5, step_s=0.01)
    assert found["utilisation"] == pytest.approx(5 * 0.01 / found["seconds"])
    assert 0 < found["utilisation"] <= 1


def test_an_error_is_an_answer_and_the_next_word_is_heard(peer: PeerProcess, stores: Path):
    with pytest.raises(PeerFailed, match="AssertionError"):
        peer.ask("lap", seed=1)
    peer.ask("open", **_words(peer, stores))
    assert peer.ask("lap", seed=1)["samples"] == len(SAMPLES)


def test_a_peer_that_is_not_there_or_fails_is_left_out_and_named(tmp_path: Path):
    bench = Bench(tmp_path, quick=True)
    broken = Side("broken", "no_such_peer", "", "files")
    with Crew(bench, [PLAIN, NOWHERE, broken]) as crew:
        assert crew.sides() == [PLAIN]
        crew.ask(PLAIN, "close")
        crew.renew(PLAIN)
        with pytest.raises(PeerFailed, match="AssertionError"):
            crew.ask(PLAIN, "lap", seed=1)
    assert any(note.startswith("elsewhere: left out") for note in bench.notes)
    assert any(note.startswith("broken is left out") for note in bench.notes)


def test_samples_of_every_size_say_which_they_are():
    for samples in (fifty_kb(50), retinanet(9), mix(30), records(200)):
        numbers = [int.from_bytes(samples.data(i)[:8], "little") for i in range(len(samples))]
        assert numbers == list(range(len(samples)))
        assert [len(samples.data(i)) for i in range(len(samples))] == samples.sizes
