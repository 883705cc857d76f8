"""Small uploads that are put together, in the hub and in a worker's threads."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import maruhub
from maruhub.api import Hub
from maruhub.errors import NoSpace
from maruhub.gateway.answer import Answer
from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.route import route
from maruhub.gateway.s3.signatures.v4 import Payload, PayloadMode
from maruhub.gateway.serve.bodies.putting import THREADS, Putting
from maruhub.gateway.service.request import Caller, Request
from maruhub.gateway.service.service import Service
from maruhub.gateway.service.small_puts import SmallPut, SmallPuts
from maruhub.namespace.buckets import Buckets
from maruhub.store.protocol import Proposal
from tests.serving import wait_until

CHIEF = Caller("chief", "MARUCHIEF", admin=True)
PATIENCE_S = 30


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with maruhub.create(tmp_path / "hub", blades=1) as made:
        made.bucket("photos").put_many({"there": b"before"})
        yield made


def put_of(
    hub: Hub, path: str, body: bytes, *, caller: Caller = CHIEF, sha256: str = "", **headers: str
) -> SmallPut:
    sent = {
        "host": "h",
        "content-length": str(len(body)),
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    head = Head("PUT", path, "", tuple(sent.items()), "http", "127.0.0.1:1")
    payload = Payload(PayloadMode.SIGNED, sha256) if sha256 else None
    return SmallPut(Request(route(head), head, caller, hub.namespace, now_us=1, id="1"), payload, None, body)


def told(outcome: Answer | Exception) -> int | str:
    """A status, or the code of an error."""
    return outcome.status if isinstance(outcome, Answer) else getattr(outcome, "code", repr(outcome))


def test_what_is_wrong_with_one_is_told_of_that_one(hub: Hub) -> None:
    puts = [
        put_of(hub, "/photos/a", b"first"),
        put_of(hub, "/photos/b", b"nobody's", caller=Caller()),
        put_of(hub, "/photos/c", b"not what was signed", sha256="0" * 64),
        put_of(hub, "/photos/there", b"again", if_none_match="*"),
        put_of(hub, "/films/a", b"no bucket"),
        put_of(hub, "/photos/d", b"one", if_none_match="*"),
        put_of(hub, "/photos/d", b"two", if_none_match="*"),
        put_of(hub, "/photos/e", b"e", content_md5="AAAAAAAAAAAAAAAAAAAAAA=="),
        put_of(hub, "/photos/f", b"last", sha256=hashlib.sha256(b"last").hexdigest()),
    ]
    outcomes = SmallPuts(Service(hub), puts).finish(hub.store)
    assert [told(outcome) for outcome in outcomes] == [
        200, "AccessDenied", "XAmzContentSHA256Mismatch", "PreconditionFailed", "NoSuchBucket", 200,
        "PreconditionFailed", "BadDigest", 200,
    ]  # fmt: skip
    held = hub.bucket("photos")
    assert {key: bytes(held[key]) for key in sorted(held)} == {
        "a": b"first", "d": b"one", "f": b"last", "there": b"before",
    }  # fmt: skip


def test_a_bucket_is_read_once_for_all_and_anew_for_the_next(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    get = Buckets.get
    monkeypatch.setattr(Buckets, "get", lambda self, name: (read.append(name), get(self, name))[1])
    hub.bucket("films").put_many({"a": b"x"})
    read.clear()
    paths = ["/photos/a", "/films/a", "/photos/b", "/films/b"]

    def statuses() -> list[int | str]:
        puts = [put_of(hub, path, b"x") for path in paths]
        return [told(outcome) for outcome in SmallPuts(Service(hub), puts).finish(hub.store)]

    assert statuses() == [200] * 4
    assert sorted(read) == ["films", "photos"]
    hub.namespace.objects.delete_many("films", ["a", "b"])
    hub.namespace.buckets.delete("films")
    assert statuses() == [200, "NoSuchBucket"] * 2


def test_bytes_that_cannot_be_written_leave_nobody_without_an_answer(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise NoSpace("no room.")

    puts = [put_of(hub, "/photos/a", b"first"), put_of(hub, "/films/a", b"no bucket")]
    checked = SmallPuts(Service(hub), puts)
    monkeypatch.setattr(hub.store, "append", full)
    failed, refused = checked.finish(hub.store)
    assert isinstance(failed, NoSpace)
    assert told(refused) == "NoSuchBucket"


class Answers:
    """Hears outcomes from any thread."""

    def __init__(self, count: int) -> None:
        self.heard: list[int | str] = []
        self._left = threading.Semaphore(0)
        self._count = count

    def __call__(self, outcome: Answer | Exception) -> None:
        self.heard.append(told(outcome))
        self._left.release()

    def wait(self) -> list[int | str]:
        for _ in range(self._count):
            assert self._left.acquire(timeout=PATIENCE_S)
        return self.heard


class Commits:
    """How many changes came at a time; none ends before ``go``."""

    def __init__(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.begun, self.go = threading.Semaphore(0), threading.Event()
        self._commit: Any = hub.store.commit_each
        monkeypatch.setattr(hub.store, "commit_each", self)

    def __call__(self, proposals: Sequence[Proposal[Any]]) -> Any:
        self.sizes.append(len(proposals))
        self.begun.release()
        assert self.go.wait(PATIENCE_S)
        return self._commit(proposals)


def busy(hub: Hub, monkeypatch: pytest.MonkeyPatch, answers: Answers, most: int) -> tuple[Putting, Commits]:
    """Threads that each have a put on hand which waits for ``go``."""
    commits = Commits(hub, monkeypatch)
    putting = Putting(Service(hub), hub.store, most)
    for number in range(THREADS):
        putting.put(put_of(hub, f"/photos/busy-{number}", b"x"), answers)
        assert commits.begun.acquire(timeout=PATIENCE_S)
    return putting, commits


def test_what_comes_while_others_are_put_goes_together(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(THREADS + 31)
    putting, commits = busy(hub, monkeypatch, answers, most=100)
    for number in range(31):
        putting.put(put_of(hub, f"/photos/{number:02}", b"%d" % number), answers)
    commits.go.set()
    assert answers.wait() == [200] * (THREADS + 31)
    putting.close()
    assert commits.sizes == [1] * THREADS + [31]
    assert [bytes(hub.bucket("photos")[f"{number:02}"]) for number in range(31)] == [
        b"%d" % number for number in range(31)
    ]


def test_no_more_than_a_bound_is_put_together(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(THREADS + 9)
    putting, commits = busy(hub, monkeypatch, answers, most=100)
    for number in range(9):
        putting.put(put_of(hub, f"/photos/{number}", bytes(300_000)), answers)
    commits.go.set()
    assert answers.wait() == [200] * (THREADS + 9)
    putting.close()
    assert commits.sizes == [1] * THREADS + [3, 3, 3]


def test_who_waits_in_an_event_loop_has_an_answer_or_what_is_wrong(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    async def outcomes() -> list[Any]:
        puts = [put_of(hub, "/photos/a", b"first"), put_of(hub, "/films/a", b"no bucket")]
        waiting = [putting.answer(put) for put in puts]
        return await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), PATIENCE_S)

    async def given_up() -> None:
        leaving = asyncio.create_task(putting.answer(put_of(hub, "/photos/left", b"x")))
        await asyncio.sleep(0)
        leaving.cancel()
        assert told(await putting.answer(put_of(hub, "/photos/b", b"second"))) == 200

    putting = Putting(Service(hub), hub.store, 2)
    assert [told(outcome) for outcome in asyncio.run(outcomes())] == [200, "NoSuchBucket"]
    asyncio.run(given_up())
    putting.close()
    assert sorted(hub.bucket("photos")) == ["a", "b", "left", "there"]
    assert not caplog.records


def test_too_many_are_told_to_slow_down_and_the_others_put(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Answers(THREADS)
    putting, commits = busy(hub, monkeypatch, answers, most=THREADS)
    with pytest.raises(S3Failure) as caught:
        putting.put(put_of(hub, "/photos/more", b"x"), answers)
    assert caught.value.code == "SlowDown"
    commits.go.set()
    # Closing waits for what is under way.
    putting.close()
    assert answers.heard == [200] * THREADS
    assert "more" not in hub.bucket("photos")


class Panic(BaseException):
    """As a library in another language raises it."""


def test_whatever_goes_wrong_everybody_has_an_answer_and_the_next_are_put(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> Any:
        raise Panic

    def deaf(_: object) -> None:
        told_in_vain.release()
        raise OSError("no room to count it")

    count = THREADS + 2
    told_in_vain, answers, last = threading.Semaphore(0), Answers(count), Answers(1)
    putting = Putting(Service(hub), hub.store, count)
    for number in range(count):
        putting.put(put_of(hub, f"/photos/deaf-{number}", b"x"), deaf)
        assert told_in_vain.acquire(timeout=PATIENCE_S)
    with monkeypatch.context() as patch:
        patch.setattr(hub.store, "commit_each", broken)
        for number in range(count):
            putting.put(put_of(hub, f"/photos/broken-{number}", b"x"), answers)
        assert answers.wait() == ["RuntimeError('puts broke off')"] * count
    putting.put(put_of(hub, "/photos/last", b"x"), last)
    assert last.wait() == [200]
    putting.close()
    assert set(hub.bucket("photos")) == {*(f"deaf-{number}" for number in range(count)), "last", "there"}
    assert caplog.text.count("nobody could be told") == count


def test_what_was_put_is_held_no_longer_than_it_takes(hub: Hub) -> None:
    answers, body = Answers(1), bytes(1000)
    putting = Putting(Service(hub), hub.store, 1)
    before = sys.getrefcount(body)
    putting.put(put_of(hub, "/photos/a", body), answers)
    assert answers.wait() == [200]
    wait_until(lambda: sys.getrefcount(body) == before)
    putting.close()


def test_what_was_refused_is_held_no_longer_than_it_takes_to_say_so(hub: Hub) -> None:
    body, putting = bytes(1000), Putting(Service(hub), hub.store, 1)

    async def refused() -> str:
        try:
            await putting.answer(put_of(hub, "/films/a", body))
        except S3Failure as failure:
            return failure.code
        return ""

    before = sys.getrefcount(body)
    gc.disable()
    try:
        assert asyncio.run(refused()) == "NoSuchBucket"
        wait_until(lambda: sys.getrefcount(body) == before)
    finally:
        gc.enable()
        putting.close()
