"""The past: what was overwritten or deleted comes back, and history tells it all."""

from __future__ import annotations

import pytest

from maruhub.errors import NoSuchVersion
from maruhub.namespace import Namespace, PutItem
from maruhub.namespace.hidden import Why
from maruhub.store.protocol import Store


def hidden_bytes(ns: Namespace, prefix: str = "") -> list[tuple[str, bytes]]:
    found = list(ns.past.versions("photos", prefix))
    blobs = ns.objects.read_infos([hidden.info for hidden in found])
    return [(hidden.info.key, bytes(blob)) for hidden, blob in zip(found, blobs, strict=True)]


def test_deleted_comes_back_whole(ns: Namespace) -> None:
    old = ns.objects.put("photos", "k", b"1", content_type="t/x", metadata={"a": "b"}, mtime_ns=5)
    ns.objects.delete("photos", "k")
    back = ns.past.undelete("photos", "k")
    assert back == ns.objects.head("photos", "k")
    assert back.version_id != old.version_id
    assert (back.etag, back.sha256, back.extents_raw) == (old.etag, old.sha256, old.extents_raw)
    assert (back.content_type, back.metadata, back.mtime_ns) == ("t/x", {"a": "b"}, 5)
    assert ns.objects.read("photos", "k") == b"1"


def test_undelete_twice_walks_back_then_ends(ns: Namespace) -> None:
    ns.objects.put("photos", "k", b"1")
    ns.objects.delete("photos", "k")
    ns.past.undelete("photos", "k")
    with pytest.raises(NoSuchVersion, match="maru://photos/k"):
        ns.past.undelete("photos", "k")
    with pytest.raises(NoSuchVersion):
        ns.past.undelete("photos", "never")


def test_undelete_of_an_overwritten_one_swaps(ns: Namespace) -> None:
    ns.objects.put("photos", "k", b"1")
    ns.objects.put("photos", "k", b"2")
    for expected in (b"1", b"2", b"1", b"2"):
        ns.past.undelete("photos", "k")
        assert ns.objects.read("photos", "k") == expected


def test_undelete_after_several(ns: Namespace) -> None:
    for data in (b"1", b"2", b"3"):
        ns.objects.put("photos", "k", data)
    ns.objects.delete("photos", "k")
    assert hidden_bytes(ns) == [("k", b"3"), ("k", b"2"), ("k", b"1")]
    ns.past.undelete("photos", "k")
    assert ns.objects.read("photos", "k") == b"3"
    assert hidden_bytes(ns) == [("k", b"2"), ("k", b"1")]
    ns.past.undelete("photos", "k")
    assert ns.objects.read("photos", "k") == b"2"
    assert hidden_bytes(ns) == [("k", b"3"), ("k", b"1")]


def test_undelete_a_chosen_version(ns: Namespace) -> None:
    ids = [ns.objects.put("photos", "k", data).version_id for data in (b"1", b"2", b"3")]
    ns.past.undelete("photos", "k", ids[0])
    assert ns.objects.read("photos", "k") == b"1"
    for wrong in (ids[2][:-1], "f" * 16, "", "zzzz", "-000000000000001", "x" * 16):
        with pytest.raises(NoSuchVersion):
            ns.past.undelete("photos", "k", wrong)
    with pytest.raises(NoSuchVersion):
        ns.past.undelete("photos", "other", ids[0])


def test_versions_of_neighbouring_keys_do_not_mix(ns: Namespace) -> None:
    keys = ["a", "a\0", "a\0\0", "a\1", "a/", "ab", "b"]
    for data in (b"1", b"2"):
        ns.objects.put_many("photos", [PutItem(key, data) for key in keys])
    ns.objects.delete_many("photos", keys)
    assert [key for key, _ in hidden_bytes(ns)] == [key for key in keys for _ in range(2)]
    assert [key for key, _ in hidden_bytes(ns, "a\0")] == ["a\0", "a\0", "a\0\0", "a\0\0"]
    for key in keys:
        assert [event.what for event in ns.past.history("photos", key)] == [
            "put",
            "overwritten",
            "put",
            "deleted",
        ]
        ns.past.undelete("photos", key)
    assert len(hidden_bytes(ns)) == len(keys)


def test_history_says_who_when_what(store: Store, ns: Namespace) -> None:
    bob = Namespace(store, actor="bob@far")
    first = ns.objects.put("photos", "k", b"1")
    second = bob.objects.put("photos", "k", b"22")
    ns.objects.update_metadata("photos", "k", metadata={"a": "b"})
    bob.objects.delete("photos", "k")
    restored = ns.past.undelete("photos", "k", first.version_id)
    bob.objects.copy("photos", "k", "photos", "copy")
    events = ns.past.history("photos", "k")
    assert [(e.what, e.actor, e.size) for e in events] == [
        ("put", "ann@host", 1),
        ("overwritten", "bob@far", 1),
        ("put", "bob@far", 2),
        ("overwritten", "ann@host", 2),
        ("metadata", "ann@host", 2),
        ("deleted", "bob@far", 2),
        ("restored", "ann@host", 1),
    ]
    assert [e.version_id for e in events[:3]] == [first.version_id, first.version_id, second.version_id]
    assert events[-1].version_id == restored.version_id
    assert [e.counter for e in events] == sorted(e.counter for e in events)
    assert [e.time_us for e in events] == sorted(e.time_us for e in events)
    assert [e.what for e in ns.past.history("photos", "copy")] == ["copy"]
    assert ns.past.history("photos", "never") == []


def test_hidden_says_who_hid_it(store: Store, ns: Namespace) -> None:
    ns.objects.put("photos", "k", b"1", request=b"r1")
    Namespace(store, actor="bob@far").objects.delete("photos", "k")
    (hidden,) = ns.past.versions("photos")
    assert (hidden.made_by, hidden.hidden_by, hidden.why) == ("ann@host", "bob@far", Why.DELETED)
    assert hidden.request == b"r1"
    assert hidden.hidden_us >= hidden.info.created_us


def test_long_actor_stays_text(store: Store) -> None:
    ns = Namespace(store, actor="x" + "한" * 100 + "\udcff")
    ns.objects.put("photos", "k", b"1", create_bucket=True)
    (event,) = ns.past.history("photos", "k")
    assert event.actor == "x" + "한" * 84
