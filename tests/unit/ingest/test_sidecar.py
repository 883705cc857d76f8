"""Labels from files beside a sample."""

from __future__ import annotations

import json

import pytest

from maruhub.ingest.entry import Entry, Refusal
from maruhub.ingest.reason import EntryRefused
from maruhub.ingest.sidecar import paired, parse_sidecar, stem_of


def pairs(*names: str, as_samples: bool = False) -> dict[str, list[str]]:
    entries = [Entry(name, 10, 1) for name in names]
    made = paired(entries, as_samples=as_samples)
    return {e.name: [s.name for s in e.sidecars] for e in made if isinstance(e, Entry)}


def test_a_sidecar_belongs_to_the_file_of_its_name() -> None:
    assert pairs("a.jpg", "a.json", "a.txt", "b.jpg") == {"a.jpg": ["a.json", "a.txt"], "b.jpg": []}
    assert pairs("a.jpg", "a.jpg.json") == {"a.jpg": ["a.jpg.json"]}
    assert pairs("a", "a.cls") == {"a": ["a.cls"]}


def test_dots_in_a_folders_names_do_not_mix_samples() -> None:
    found = pairs("IMG.1.jpg", "IMG.1.json", "IMG.2.jpg", "IMG.3.json")
    assert found == {"IMG.1.jpg": ["IMG.1.json"], "IMG.2.jpg": [], "IMG.3.json": []}


def test_one_stem_is_one_sample_in_an_archive() -> None:
    found = pairs("x/a.jpg", "x/a.seg.png", "x/a.meta.json", "x/a.cls", "x/b.jpg", as_samples=True)
    assert found == {
        "x/a.jpg": ["x/a.meta.json", "x/a.cls"],
        "x/a.seg.png": ["x/a.meta.json", "x/a.cls"],
        "x/b.jpg": [],
    }


def test_a_text_is_the_sample_where_nothing_else_is() -> None:
    assert pairs("a.txt", "a.cls") == {"a.txt": ["a.cls"]}
    assert pairs("a.json") == {"a.json": []}
    assert pairs("a.cls") == {"a.cls": []}


def test_the_same_stem_in_another_folder_is_another_sample() -> None:
    assert pairs("a.jpg", "x/a.json") == {"a.jpg": [], "x/a.json": []}


def test_refusals_and_order_pass_through() -> None:
    refusal = Refusal("x", "link", "")
    made = list(paired([Entry("a.jpg", 1, 1), refusal, Entry("b.jpg", 1, 1)], as_samples=True))
    assert refusal in made
    assert [e.name for e in made if isinstance(e, Entry)] == ["a.jpg", "b.jpg"]


def test_a_crowd_of_one_stem_is_held_a_part_at_a_time() -> None:
    taken = []

    def crowd():
        for i in range(10_000):
            taken.append(i)
            yield Entry(f"a.{i}", 1, 1)

    next(paired(crowd(), as_samples=True))
    assert len(taken) < 100


def test_stems() -> None:
    assert stem_of("x.y/a.b.c") == "x.y/a"
    assert stem_of("x/.hidden.jpg") == "x/.hidden"
    assert stem_of("a") == "a"


def test_parse() -> None:
    assert parse_sidecar("a.cls", b" 7\n") == {"label": "7"}
    assert parse_sidecar("a.txt", b"A cat.\n") == {"text": "A cat."}
    data = {"label": "cat", "n": 3, "f": 0.5, "ok": True, "no": None, "box": [1, 2], "deep": {"a": "ü"}}
    assert parse_sidecar("a.json", json.dumps(data).encode()) == {
        "label": "cat",
        "n": "3",
        "f": "0.5",
        "ok": "true",
        "box": "[1,2]",
        "deep": '{"a":"ü"}',
    }
    assert parse_sidecar("a.json", b"[1]") == {"json": "[1]"}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", b"{"),
        ("a.json", b""),
        ("a.json", b"[" * 20_000),
        ("a.json", b'{"a": "\\ud800"}'),
        ("a.json", b'{"\\ud800": 1}'),
        ("a.json", b'{"a": ' + b"9" * 10_000 + b"}"),
        ("a.json", b"\xff"),
        ("a.txt", b"\xff"),
        ("a.cls", b"\xff"),
    ],
)
def test_a_sidecar_that_is_not_what_it_says(name: str, data: bytes) -> None:
    with pytest.raises(EntryRefused) as caught:
        parse_sidecar(name, data)
    assert caught.value.reason == "bad-sidecar"


def test_labels_arrive_with_their_samples(land, tree) -> None:
    tree.write({"a.jpg": b"a", "a.json": b'{"label": "cat", "n": 1}', "a.txt": b"A cat.", "b.jpg": b"b"})
    report = land(tree.path, labels="sidecar")
    assert report.stored == 2
    assert land.objects() == {"a.jpg": b"a", "b.jpg": b"b"}
    assert land.metadata("a.jpg") == {"label": "cat", "n": "1", "text": "A cat."}
    assert land.metadata("b.jpg") == {}


def test_without_the_option_a_sidecar_is_an_object(land, tree) -> None:
    tree.write({"a.jpg": b"a", "a.json": b"{}"})
    land(tree.path)
    assert sorted(land.objects()) == ["a.jpg", "a.json"]


def test_a_bad_sidecar_spares_its_sample(land, tree, reasons) -> None:
    tree.write({"a.jpg": b"a", "a.json": b"{", "a.cls": b"cat"})
    assert reasons(land(tree.path, labels="sidecar")) == {"a.json": "bad-sidecar"}
    assert land.objects() == {"a.jpg": b"a"}
    assert land.metadata("a.jpg") == {"label": "cat"}


def test_a_corrected_sidecar_moves_no_bytes(land, tree) -> None:
    tree.write({"a.jpg": b"a" * 1000, "a.cls": b"cat"})
    land(tree.path, labels="sidecar")
    assert land(tree.path, labels="sidecar").unchanged == 1
    tree.write({"a.cls": b"dog"})
    report = land(tree.path, labels="sidecar")
    assert (report.stored, report.metadata_updated, report.bytes_read) == (0, 1, 3)
    assert land.metadata("a.jpg") == {"label": "dog"}


def test_a_large_label_file_is_data(land, tree) -> None:
    tree.write({"a.jpg": b"a", "a.json": b" " * 40_000})
    assert land(tree.path, labels="sidecar").stored == 2
