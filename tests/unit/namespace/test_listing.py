"""Listing: S3's meaning of prefix, delimiter, start-after and limit, at the cost of a page."""

from __future__ import annotations

from typing import Any

import pytest

from maruhub.errors import InvalidInput, InvalidName
from maruhub.namespace import Namespace, PutItem
from maruhub.namespace.listing import Page
from maruhub.store.protocol import Store
from maruhub.testing.memory_store import MemoryStore

KEYS = ["a", "a/1", "a/2", "a/b/1", "a0", "b//x", "b/x", "c-1", "c-2", "é/1", "\U0001f600"]


class CountingStore(MemoryStore):
    """Counts what a listing costs."""

    def __init__(self) -> None:
        super().__init__()
        self.scans = self.rows = 0

    def scan(self, *args: Any, **how: Any) -> Any:
        rows = super().scan(*args, **how)
        self.scans += 1
        self.rows += len(rows)
        return rows


@pytest.fixture
def full(ns: Namespace) -> Namespace:
    ns.objects.put_many("photos", [PutItem(key, key.encode()) for key in KEYS])
    other = ns.buckets.create("photos2")
    ns.objects.put(other.name, "zzz", b"")
    return ns


def names(page: Page) -> tuple[list[str], list[str]]:
    return [info.key for info in page.objects], page.prefixes


@pytest.mark.parametrize(
    ("how", "objects", "prefixes"),
    [
        ({}, KEYS, []),
        ({"delimiter": ""}, KEYS, []),
        ({"prefix": "a/"}, ["a/1", "a/2", "a/b/1"], []),
        ({"delimiter": "/"}, ["a", "a0", "c-1", "c-2", "\U0001f600"], ["a/", "b/", "é/"]),
        ({"delimiter": "/", "prefix": "a/"}, ["a/1", "a/2"], ["a/b/"]),
        ({"delimiter": "/", "prefix": "b/"}, ["b/x"], ["b//"]),
        ({"delimiter": "/", "prefix": "a"}, ["a", "a0"], ["a/"]),
        ({"delimiter": "-", "prefix": "c"}, [], ["c-"]),
        ({"delimiter": "/b/"}, [k for k in KEYS if k != "a/b/1"], ["a/b/"]),
        ({"start_after": "a/2"}, KEYS[3:], []),
        ({"start_after": "a/1\0"}, KEYS[2:], []),
        ({"start_after": "a/", "delimiter": "/"}, ["a0", "c-1", "c-2", "\U0001f600"], ["b/", "é/"]),
        ({"start_after": "a/1", "delimiter": "/"}, ["a0", "c-1", "c-2", "\U0001f600"], ["b/", "é/"]),
        ({"start_after": "a", "delimiter": "/"}, ["a0", "c-1", "c-2", "\U0001f600"], ["a/", "b/", "é/"]),
        ({"start_after": "a", "prefix": "b"}, ["b//x", "b/x"], []),
        ({"start_after": "b0", "prefix": "b"}, [], []),
        ({"start_after": "z", "prefix": "b"}, [], []),
        ({"start_after": "\U0001f600"}, [], []),
        ({"start_after": "\U0010ffff" * 300}, [], []),
        ({"start_after": "a" * 1024 + "b"}, KEYS[5:], []),
        ({"prefix": "x" * 2000}, [], []),
        ({"prefix": "nothing"}, [], []),
    ],
)
def test_pages(full: Namespace, how: dict[str, Any], objects: list[str], prefixes: list[str]) -> None:
    page = full.listing.page("photos", **how)
    assert names(page) == (objects, prefixes)
    assert page.next_start_after is None


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("delimiter", [None, "/"])
def test_pages_add_up_and_end(full: Namespace, limit: int, delimiter: str | None) -> None:
    whole = full.listing.page("photos", delimiter=delimiter)
    objects, prefixes, after, count = [], [], "", 0
    while True:
        page = full.listing.page("photos", delimiter=delimiter, start_after=after, limit=limit)
        count += 1
        objects += page.objects
        prefixes += page.prefixes
        if page.next_start_after is None:
            break
        assert len(page.objects) + len(page.prefixes) == limit
        assert page.next_start_after.encode() > after.encode()
        after = page.next_start_after
    assert (objects, prefixes) == (whole.objects, whole.prefixes)
    assert count == -(-(len(objects) + len(prefixes)) // limit)


def test_a_page_that_ends_with_a_common_prefix(full: Namespace) -> None:
    page = full.listing.page("photos", delimiter="/", limit=2)
    assert (names(page), page.next_start_after) == ((["a"], ["a/"]), "a/")
    page = full.listing.page("photos", delimiter="/", limit=2, start_after="a/")
    assert (names(page), page.next_start_after) == ((["a0"], ["b/"]), "b/")
    # The last common prefix of all has nothing after it, however many keys it holds.
    page = full.listing.page("photos", prefix="b", delimiter="/", limit=1)
    assert (names(page), page.next_start_after) == (([], ["b/"]), None)


def test_limits(full: Namespace) -> None:
    assert full.listing.page("photos", limit=0) == Page([], [], None)
    assert full.listing.page("photos", limit=len(KEYS)).next_start_after is None
    with pytest.raises(InvalidInput, match="-1"):
        full.listing.page("photos", limit=-1)
    for name in ("prefix", "delimiter", "start_after"):
        with pytest.raises(InvalidName, match=name):
            full.listing.page("photos", **{name: "\udc80"})


def test_hidden_versions_are_not_listed(full: Namespace) -> None:
    full.objects.put("photos", "a", b"again")
    full.objects.delete("photos", "a0")
    assert names(full.listing.page("photos"))[0] == [key for key in KEYS if key != "a0"]


def test_scan(ns: Namespace) -> None:
    ns.objects.put_many("photos", [PutItem(f"x/{i:05}", b"") for i in range(2500)])
    ns.objects.put("photos", "y", b"")
    pages = list(ns.listing.scan("photos", "x/"))
    assert [len(page) for page in pages] == [1000, 1000, 500]
    assert [info.key for page in pages for info in page] == [f"x/{i:05}" for i in range(2500)]
    assert [[info.key for info in page] for page in ns.listing.scan("photos", "y")] == [["y"]]
    assert list(ns.listing.scan("photos", "z")) == []


@pytest.mark.parametrize("many", [100, 3000])
def test_cost_of_a_page_is_independent_of_folder_and_bucket(many: int) -> None:
    store = CountingStore()
    ns = Namespace(store)
    folders = [PutItem(f"{folder:02}/{i:05}", b"") for folder in range(5) for i in range(many)]
    ns.objects.put_many("photos", [*folders, PutItem("file", b"")], create_bucket=True)
    store.scans = store.rows = 0
    page = ns.listing.page("photos", delimiter="/")
    assert names(page) == (["file"], [f"{folder:02}/" for folder in range(5)])
    assert store.scans <= 7
    assert store.rows <= 8 * 7
    store.scans = store.rows = 0
    assert len(ns.listing.page("photos", start_after="02/00050", limit=10).objects) == 10
    assert (store.scans, store.rows) == (1, 11)


def test_many_small_folders_are_not_a_seek_each() -> None:
    store = CountingStore()
    ns = Namespace(store)
    ns.objects.put_many("photos", [PutItem(f"{i:05}/x", b"") for i in range(1000)], create_bucket=True)
    store.scans = 0
    assert len(ns.listing.page("photos", delimiter="/").prefixes) == 1000
    assert store.scans <= 20


def test_a_row_that_is_read_says_its_bucket(store: Store) -> None:
    ns = Namespace(store)
    for bucket in ("aaa", "bbb"):
        ns.objects.put(bucket, "k", bucket.encode(), create_bucket=True)
    assert [info.bucket for info in ns.listing.page("bbb").objects] == ["bbb"]
