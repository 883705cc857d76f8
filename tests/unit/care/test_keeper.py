"""The keeper on real folders: whatever happens to blades, what was put is there, and well kept again."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

import maruhub
from maruhub.api.hub import Hub
from maruhub.care.keeper import Keeper
from maruhub.care.plan import Kind
from maruhub.compose import create_pool
from maruhub.errors import Busy, NoSpace

Datas = dict[str, bytes]


def fill(hub: Hub, count: int = 120, *, prefix: str = "a", seed: int = 1) -> Datas:
    chance = random.Random(seed)
    datas = {
        f"{prefix}/{n:04d}": chance.randbytes(chance.choice([10, 3000, 20_000, 60_000])) for n in range(count)
    }
    hub.bucket("photos").put_many(datas)
    # What it filled is sealed beside other work: here nothing else is done meanwhile.
    hub.store._sealer.wait()
    return datas


def lose(blade: Path) -> None:
    """A drive that dies, all at once, whatever is written to it now."""
    gone = blade.with_name(f"{blade.name}.gone")
    blade.rename(gone)
    shutil.rmtree(gone)


def require(hub: Hub, datas: Datas) -> None:
    photos = hub.bucket("photos")
    keys = list(datas)
    for key, found in zip(keys, photos.get_many(keys), strict=True):
        assert bytes(found) == datas[key], key


def forms(hub: Hub) -> dict[str, int]:
    return hub.status().forms


def make(path: Path, blades: int, *, segment_bytes: int = 1 << 20) -> Hub:
    create_pool(path, n=blades, segment_bytes=segment_bytes).close()
    return maruhub.connect(path)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with make(tmp_path / "hub", 6) as hub:
        yield hub


def test_once_leaves_nothing_to_do(hub: Hub):
    datas = fill(hub)
    report = hub.care.once()
    assert report.problems == []
    assert set(forms(hub)) <= {"4+2", "3 copies"}
    assert forms(hub)["4+2"] >= 3
    assert not hub.care.once().acts
    require(hub, datas)


def test_space_is_what_parity_costs(tmp_path: Path):
    hub = make(tmp_path / "hub", 6, segment_bytes=16 << 20)
    chance = random.Random(7)
    hub.bucket("photos").put_many({str(n): chance.randbytes(50_000) for n in range(600)})
    hub.care.once()
    status = hub.status()
    assert status.raw_bytes < 1.65 * status.stored_bytes
    hub.close()


def test_two_lost_blades_are_made_up_for(hub: Hub):
    datas = fill(hub)
    hub.care.once()
    for number in (1, 4):
        lose(hub.path / "blades" / str(number))
    require(hub, datas)
    hub.care.once()
    assert set(forms(hub)) <= {"2+2", "3 copies"}
    for number in (0, 5):
        lose(hub.path / "blades" / str(number))
    require(hub, datas)


def test_what_lost_blades_held_is_there_in_a_new_process(hub: Hub):
    datas = fill(hub)
    hub.care.once()
    hub.close()
    for number in (0, 3):
        lose(hub.path / "blades" / str(number))
    with maruhub.connect(hub.path) as again:
        require(again, datas)
        assert "REDUCED" in again.status().protection
        again.care.once()
    shutil.rmtree(hub.path / "index")
    with maruhub.connect(hub.path) as rebuilt:
        require(rebuilt, datas)


def test_pool_grows_and_widens_by_itself(tmp_path: Path):
    hub = make(tmp_path / "hub", 1)
    datas = fill(hub)
    hub.care.once()
    assert set(forms(hub)) == {"1 copy"}
    blades = 1
    for wanted, form in ((2, "2 copies"), (3, "3 copies"), (4, "2+2"), (6, "4+2"), (10, "8+2")):
        while blades < wanted:
            hub.blades.add(tmp_path / f"new{blades}")
            blades += 1
        datas |= fill(hub, 40, prefix=form, seed=blades)
        hub.care.once()
        assert form in forms(hub), forms(hub)
        assert set(forms(hub)) <= {form, "2 copies", "3 copies"}
        assert not hub.status().reduced
        require(hub, datas)
    hub.close()
    for number in (3, 7):
        lose(tmp_path / f"new{number}")
    with maruhub.connect(hub.path) as again:
        require(again, datas)


def test_many_new_blades_are_filled_in_one_go(tmp_path: Path):
    """However many strips of one segment have to move for it."""
    with make(tmp_path / "hub", 10, segment_bytes=256 << 10) as hub:
        datas = fill(hub, 200)
        hub.care.once()
        for number in range(6):
            hub.blades.add(tmp_path / f"new{number}")
        segments = sum(forms(hub).values())
        assert hub.care.once().acts["balance"] > 2 * segments
        assert not hub.care.once().acts
        require(hub, datas)


def test_drained_blade_is_empty_and_may_go(hub: Hub, tmp_path: Path):
    datas = fill(hub)
    hub.care.once()
    hub.blades.add(tmp_path / "new")
    hub.blades.drain(str(hub.path / "blades" / "2"))
    hub.care.once()
    hub.blades.remove("2")
    assert not list((hub.path / "blades" / "2" / "segments").iterdir())
    lose(hub.path / "blades" / "2")
    require(hub, datas)
    assert not hub.status().reduced


def test_compaction_frees_what_nothing_names(hub: Hub):
    datas = fill(hub, 300)
    hub.care.once()
    before = hub.status().raw_bytes
    bucket = hub.namespace.buckets
    bucket.set_delay("photos", 0)
    gone = [key for key in datas if int(key[-4:]) % 4]
    hub.bucket("photos").delete_many(gone)
    hub.care.once()
    hub.care.once({Kind.COMPACT})
    assert hub.status().raw_bytes < 0.5 * before
    left = {key: data for key, data in datas.items() if key not in set(gone)}
    require(hub, left)
    hub.close()
    shutil.rmtree(hub.path / "index")
    with maruhub.connect(hub.path) as rebuilt:
        require(rebuilt, left)
        assert len(list(rebuilt.bucket("photos").list())) == len(left)


def test_missing_file_is_made_again_on_its_blade(hub: Hub):
    datas = fill(hub)
    hub.care.once()
    strips = sorted((hub.path / "blades" / "3" / "segments").glob("*.strip"))
    for strip in strips:
        strip.unlink()
    report = hub.care.once()
    assert report.acts["repair"] == len(strips)
    assert sorted((hub.path / "blades" / "3" / "segments").glob("*.strip")) == strips
    require(hub, datas)


def test_files_that_no_layout_names_are_swept(hub: Hub):
    fill(hub)
    hub.care.once()
    strip = next((hub.path / "blades" / "0" / "segments").glob("*.strip"))
    segment, _, number, suffix = strip.name.split(".")
    stray = strip.with_name(f"{segment}.99.{number}.{suffix}")
    shutil.copy(strip, stray)
    assert hub.care.once().strays == 1
    assert not stray.exists()


def test_one_process_takes_care_at_a_time(hub: Hub):
    fill(hub, 5)
    script = (
        "import sys, threading, maruhub\n"
        "hub = maruhub.connect(sys.argv[1]); stop = threading.Event()\n"
        "threading.Thread(target=lambda: (sys.stdin.readline(), stop.set())).start()\n"
        "print('ready', flush=True)\n"
        "hub.care.forever(stop, every_s=0.1)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(hub.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as keeper:
        assert keeper.stdout
        keeper.stdout.readline()
        for _ in range(200):
            if (care := hub.status().care) is not None:
                break
            threading.Event().wait(0.05)
        assert care is not None
        with pytest.raises(Busy):
            hub.care.once()
        keeper.communicate("\n")
    assert keeper.returncode == 0
    assert hub.status().care is None
    hub.care.once()


def test_thread_of_a_long_lived_hub_seals(hub: Hub):
    datas = fill(hub)
    hub.care.start(every_s=0.05)
    for _ in range(200):
        if "4+2" in forms(hub):
            break
        threading.Event().wait(0.05)
    hub.care.stop()
    assert "4+2" in forms(hub)
    require(hub, datas)


def test_care_that_goes_on_notices_a_blade_that_goes(hub: Hub):
    datas = fill(hub)
    stop = threading.Event()
    keeper = threading.Thread(target=hub.care.forever, args=(stop,), kwargs={"every_s": 0.05})
    keeper.start()
    try:
        _until(lambda: "4+2" in forms(hub))
        lose(hub.path / "blades" / "4")
        _until(lambda: set(forms(hub)) <= {"3+2", "3 copies"})
    finally:
        stop.set()
        keeper.join()
    require(hub, datas)


def test_log_of_another_process_that_lacks_a_blade_is_told_of(hub: Hub):
    with maruhub.connect(hub.path) as other:
        other.bucket("photos")["a"] = b"x" * 9000
        layout = next(layout for layout in hub.store.layouts() if not layout.closed)
        home = {place.blade_id: place.root for place in hub.pool.found.local_blades}[layout.blades[0]]
        lose(home)
        assert sum(hub.care.once().waiting.values()) >= 1
        other.bucket("photos")["b"] = b"y" * 9000
    assert not hub.care.once().waiting
    assert bytes(hub.bucket("photos")["a"]) == b"x" * 9000


def _until(happened: Callable[[], bool]) -> None:
    for _ in range(400):
        if happened():
            return
        threading.Event().wait(0.05)
    assert happened()


def test_writer_that_fills_segments_seals_them_without_care(tmp_path: Path):
    with make(tmp_path / "hub", 6) as hub:
        datas = fill(hub, 400)
    with maruhub.connect(tmp_path / "hub") as hub:
        assert forms(hub)["4+2"] >= 5
        require(hub, datas)


def test_report_is_plain_values(hub: Hub):
    fill(hub)
    assert json.loads(json.dumps(hub.care.once().to_json()))["acts"]["seal"] >= 1


def test_readers_go_on_in_what_was_moved(hub: Hub):
    """Views and mapped files of another process outlive every act."""
    datas = fill(hub)
    with maruhub.connect(hub.path) as other:
        views = other.bucket("photos").get_many(list(datas))
        hub.care.once()
        for number in (0, 1):
            lose(hub.path / "blades" / str(number))
        hub.care.once()
        assert [bytes(view) for view in views] == list(datas.values())
        require(other, datas)
        assert other.store.read_counts.lost == 0


def test_rot_is_read_around_and_scrubbed_away(hub: Hub):
    datas = fill(hub)
    hub.care.once()
    for blade in ("0", "1"):
        for strip in (hub.path / "blades" / blade / "segments").glob("*.strip"):
            data = bytearray(strip.read_bytes())
            for at in range(4096 + 100, len(data), 40_000):
                data[at] ^= 0x55
            strip.write_bytes(data)
    require(hub, datas)
    done = hub.care.scrub()
    assert done.rotten > 0
    assert (done.mended, done.lost) == (done.rotten, [])
    again = hub.care.scrub()
    assert (again.rotten, again.lost) == (0, [])
    assert hub.check().ok
    require(hub, datas)


def test_scrub_heals_copies_of_open_logs(tmp_path: Path):
    with make(tmp_path / "hub", 3) as hub:
        datas = fill(hub, 20)
        for log in (hub.path / "blades" / "1" / "segments").glob("*.log"):
            size = log.stat().st_size
            with log.open("r+b") as file:
                file.seek(size // 2)
                file.write(os.urandom(3000))
        assert hub.care.scrub().rotten > 0
        assert hub.care.scrub().rotten == 0
        require(hub, datas)


def test_scrub_goes_on_where_it_was(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    from maruhub.care import scrub

    fill(hub, 300)
    hub.care.once()
    count = sum(forms(hub).values())
    seen: list[int] = []
    honest = scrub.Scrub._segment

    def dying(self, layout, current):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(layout.segment)
        honest(self, layout, current)

    monkeypatch.setattr(scrub.Scrub, "_segment", dying)
    with pytest.raises(KeyboardInterrupt):
        hub.care.scrub()
    monkeypatch.setattr(scrub.Scrub, "_segment", honest)
    assert hub.care.scrub().segments == count
    assert [done.segments for done in scrub.history(hub.store)] == [count]


def test_care_that_goes_on_scrubs_by_itself(hub: Hub):
    from maruhub.care import scrub

    datas = fill(hub)
    hub.care.once()
    strip = next((hub.path / "blades" / "0" / "segments").glob("*.strip"))
    sound = strip.read_bytes()
    strip.write_bytes(sound[:6000] + bytes([sound[6000] ^ 1]) + sound[6001:])
    stop = threading.Event()
    words = {"every_s": 0.05, "scrub_every_s": 0.0}
    keeper = threading.Thread(target=hub.care.forever, args=(stop,), kwargs=words)
    keeper.start()
    try:
        _until(lambda: any(done.mended for done in scrub.history(hub.store)))
    finally:
        stop.set()
        keeper.join()
    assert strip.read_bytes() == sound
    require(hub, datas)


def test_a_scrub_waits_for_its_time_and_for_what_is_more_urgent(hub: Hub):
    fill(hub)
    hub.care.once()
    scrub = hub.pool.scrub()
    assert not scrub.is_due(3600)
    assert scrub.is_due(0)
    asked = iter([True, True, False])
    done = scrub.run(goes_on=lambda: next(asked))
    assert (done.segments, done.whole) == (2, False)
    assert scrub.is_due(3600), "the round is under way"
    done = scrub.run()
    assert (done.segments, done.whole) == (sum(forms(hub).values()), True)
    assert not scrub.is_due(3600)


def no_room(*_: object) -> NoReturn:
    raise NoSpace("no room.", hint="Add a blade.")


def test_what_could_not_be_done_is_told_once_with_what_helps(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    fill(hub)
    monkeypatch.setattr(Keeper, "_act", no_room)
    problems = hub.care.once().problems
    assert problems
    assert len(set(problems)) == len(problems)
    assert [
        said for said in problems if not re.fullmatch(r"seal segment \w{16}: no room\. Add a blade\.", said)
    ] == []


def test_care_that_goes_on_tells_what_it_cannot_do(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    fill(hub)
    tried: list[object] = []
    often = threading.Event()

    def counted(*_: object) -> NoReturn:
        tried.append(None)
        if len(tried) > 8 * segments:
            often.set()
        no_room()

    monkeypatch.setattr(Keeper, "_act", no_room)
    segments = len(hub.care.once().problems)

    monkeypatch.setattr(Keeper, "_act", counted)
    hub.care.start(every_s=0.01)
    assert often.wait(30)
    hub.care.stop()
    said = [record.getMessage() for record in caplog.records if "care could not seal" in record.getMessage()]
    assert said
    assert len(said) == len(set(said))


@pytest.mark.parametrize("lost", [True, False])
def test_repair_and_balance_alone_see_to_open_logs_too(hub: Hub, lost: bool):
    path = hub.path
    datas = fill(hub, 3)
    log = next(path.glob("blades/*/segments/*.log"))
    number = log.parent.parent.name
    hub.close()
    with maruhub.connect(path) as again:
        if lost:
            lose(path / "blades" / number)
        else:
            again.blades.drain(number)
        report = again.care.once({Kind.REPAIR if lost else Kind.DRAIN})
        assert not report.waiting
        assert not again.status().reduced or lost
        assert again.status().survives == 2
        assert lost or not list((path / "blades" / number / "segments").iterdir())
        require(again, datas)
