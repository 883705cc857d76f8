"""Labels that come later: files, types, joins, revisions, and what is wrong with them."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pytest
from pyarrow import parquet

from maruhub.catalog.labels.file import read_labels
from maruhub.errors import InvalidData, InvalidInput, InvalidName, NoSuchDataset, NotFound


@pytest.fixture
def ds(catalog, cats):
    made = catalog.dataset("cats")
    made.commit("photos/cats/")
    return made


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_by_key(ds, tmp_path):
    text = "key,breed,age,ok,seen\ncats/01.jpg,tabby,3,true,2024-01-02\ncats/02.jpg,,4,false,\nnone.jpg,x,5,true,\n"
    report = ds.label(write(tmp_path / "labels.csv", text), message="from the vet")
    assert (report.matched, report.unlabelled, report.unmatched, report.unmatched_count) == (
        2,
        8,
        ["none.jpg"],
        1,
    )
    table = report.version.table(["breed", "age", "ok", "seen"])
    assert [str(field.type) for field in table.schema] == ["string", "int64", "bool", "date32[day]"]
    assert table.column("age").to_pylist() == [None, 3, 4] + [None] * 7
    assert table.column("breed").to_pylist()[:3] == [None, "tabby", None]
    assert report.version.message == ds.label_sets()[0].message == "from the vet"
    assert (ds.label_sets()[0].matched, ds.label_sets()[0].unmatched, ds.label_sets()[0].unlabelled) == (
        2,
        1,
        8,
    )
    assert len(report.version) == 10


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "table", "tsv"])
def test_every_kind_of_file_gives_the_same_version(ds, tmp_path, kind):
    table = pa.table({"id": ["photos/cats/01.jpg", "photos/cats/07.jpg"], "score": [0.5, 1.5], "n": [1, 2]})
    source = table
    if kind == "parquet":
        source = tmp_path / "x.parquet"
        parquet.write_table(table, source)
    elif kind == "jsonl":
        lines = (
            '{"id":"photos/cats/01.jpg","score":0.5,"n":1}\n{"id":"photos/cats/07.jpg","score":1.5,"n":2}\n'
        )
        source = write(tmp_path / "x.jsonl", lines)
    elif kind == "tsv":
        source = write(
            tmp_path / "x.tsv", "id\tscore\tn\nphotos/cats/01.jpg\t0.5\t1\nphotos/cats/07.jpg\t1.5\t2\n"
        )
    version = ds.label(source).version
    assert version.columns([1, 7, 0]).to_pylist() == [
        {"score": 0.5, "n": 1},
        {"score": 1.5, "n": 2},
        {"score": None, "n": None},
    ]


def test_digests_join_every_copy(ds, catalog, put):
    put({"cats/copy.jpg": bytes([3]) * 300})
    ds.commit()
    digest = hashlib.sha256(bytes([3]) * 300).hexdigest().upper()
    report = ds.label(pa.table({"digest": [digest], "kind": ["three"]}))
    assert report.matched == 2
    assert report.version.where("kind = 'three'").ids() == ["photos/cats/03.jpg", "photos/cats/copy.jpg"]


def test_a_label_revision_moves_no_byte_of_a_sample(store, ds):
    before = ds.latest
    report = ds.label(pa.table({"key": ["cats/01.jpg"], "breed": ["tabby"]}))
    after = report.version
    assert after.blobs().extents.tolist() == before.blobs().extents.tolist()
    assert after.manifest.root.base == before.manifest.root.base
    assert 0 < report.bytes_written < 10_000


def test_a_revision_replaces_only_what_it_names(ds):
    ds.label(pa.table({"key": ["cats/01.jpg", "cats/02.jpg"], "breed": ["tabby", "siam"], "age": [1, 2]}))
    ds.label(pa.table({"key": ["cats/02.jpg", "cats/03.jpg"], "breed": [None, "manx"]}))
    assert ds.latest.columns([1, 2, 3]).to_pylist() == [
        {"breed": "tabby", "age": 1},
        {"breed": None, "age": 2},
        {"breed": "manx", "age": None},
    ]
    assert [r.revision for r in ds.label_sets()] == [1, 2]
    assert ds["v2"].columns([2]).to_pylist() == [{"breed": "siam", "age": 2}]


def test_the_same_labels_again_are_no_new_version(ds):
    table = pa.table({"key": ["cats/01.jpg"], "breed": ["tabby"]})
    first = ds.label(table)
    again = ds.label(table)
    assert again.version.number == first.version.number
    assert not again.version.is_new
    assert again.bytes_written == 0


def test_label_sets_beside_each_other(ds):
    ds.label(pa.table({"key": ["cats/01.jpg"], "breed": ["tabby"]}), name="human-1")
    with pytest.raises(InvalidInput, match="column 'breed' belongs to label set 'human-1'") as caught:
        ds.label(pa.table({"key": ["cats/01.jpg"], "Breed": ["siam"]}), name="human-2")
    assert "rename" in caught.value.python_hint
    version = ds.label(
        pa.table({"key": ["cats/01.jpg"], "Breed": ["siam"]}), name="human-2", rename={"Breed": "breed_2"}
    ).version
    assert version.columns([1]).to_pylist() == [{"breed": "tabby", "breed_2": "siam"}]
    ds.label(pa.table({"key": ["cats/01.jpg"], "breed": ["manx"]}), name="human-1")
    assert ds.latest.columns([1]).to_pylist() == [{"breed": "manx", "breed_2": "siam"}]
    assert ds.latest.column_names[-2:] == ["breed", "breed_2"]


def test_labels_clash_with_what_samples_have(ds, put):
    with pytest.raises(InvalidInput, match="'size' belongs to every sample"):
        ds.label(pa.table({"key": ["cats/01.jpg"], "SIZE": [1]}))
    put({"cats/x.jpg": b"x"}, label="from metadata")
    ds.commit()
    with pytest.raises(InvalidInput, match="'label' belongs to the objects' own metadata"):
        ds.label(pa.table({"key": ["cats/01.jpg"], "label": ["cat"]}))
    assert ds.latest.number == 2


def test_labels_stay_with_their_samples(ns, ds, put):
    ds.label(pa.table({"key": [f"cats/{i:02}.jpg" for i in range(10)], "n": list(range(10))}))
    put({"cats/new.jpg": b"new"})
    put({"cats/03.jpg": b"other bytes, same sample"})
    ns.objects.delete_many("photos", ["cats/05.jpg"])
    version = ds.commit()
    found = dict(zip(version.ids(), version.columns().column("n").to_pylist(), strict=True))
    expected = {f"photos/cats/{i:02}.jpg": i for i in range(10) if i != 5} | {"photos/cats/new.jpg": None}
    assert found == expected
    put({"cats/newer.jpg": b"newer"})
    version = ds.commit()
    assert dict(zip(version.ids(), version.columns().column("n").to_pylist(), strict=True)) == expected | {
        "photos/cats/newer.jpg": None
    }
    ns.past.undelete("photos", "cats/05.jpg")
    assert ds.commit().where("n = 5").ids() == ["photos/cats/05.jpg"]


def test_labels_by_digest_do_not_follow_other_bytes(ds, cats, put):
    digest = [hashlib.sha256(cats[f"cats/0{i}.jpg"]).hexdigest() for i in (3, 4)]
    ds.label(pa.table({"digest": digest, "n": [3, 4]}))
    put({"cats/03.jpg": b"other bytes"})
    put({"cats/04.jpg": cats["cats/04.jpg"]})
    assert ds.commit().where("n IS NOT NULL").ids() == ["photos/cats/04.jpg"]


def test_a_removed_sample_takes_no_label(ns, ds):
    ns.objects.delete_many("photos", ["cats/05.jpg"])
    ds.commit()
    report = ds.label(pa.table({"key": ["cats/05.jpg", "cats/06.jpg"], "n": [5, 6]}))
    assert report.matched == 1
    assert report.unmatched == ["cats/05.jpg"]
    assert report.unlabelled == 8


def test_keys_that_look_like_numbers_stay_text(catalog, put):
    put({"001": b"1", "1": b"2"})
    catalog.dataset("n").commit("photos")
    version = catalog.dataset("n").label(pa.table({"key": ["001"], "x": [1]})).version
    assert version.where("x = 1").ids() == ["photos/001"]


def test_csv_keys_that_look_like_numbers_stay_text(catalog, put, tmp_path):
    put({"001": b"1", "1": b"2"})
    catalog.dataset("n").commit("photos")
    version = catalog.dataset("n").label(write(tmp_path / "l.csv", "key,x\n001,1\n")).version
    assert version.where("x = 1").ids() == ["photos/001"]


def test_nested_and_vector_columns(ds):
    table = pa.table(
        {
            "key": ["cats/01.jpg", "cats/02.jpg"],
            "boxes": [[{"x": 1.0, "y": 2.0}], []],
            "vector": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)),
        }
    )
    ds.label(table)
    table = pa.table({"key": ["cats/02.jpg"], "vector": pa.array([[5.0, 6.0]], pa.list_(pa.float32(), 2))})
    version = ds.label(table).version
    assert version.columns([1, 2, 3]).to_pylist() == [
        {"boxes": [{"x": 1.0, "y": 2.0}], "vector": [1.0, 2.0]},
        {"boxes": [], "vector": [5.0, 6.0]},
        {"boxes": None, "vector": None},
    ]
    assert ds.diff("v2", "v3").columns.to_pylist() == [{"column": "vector", "change": "changed", "rows": 1}]


def test_types_may_be_told(ds, tmp_path):
    path = write(tmp_path / "l.csv", "key,zip,n\ncats/01.jpg,01234,7\n")
    version = ds.label(path, types={"zip": "string", "n": pa.int8()}).version
    assert version.columns([1]).to_pylist() == [{"zip": "01234", "n": 7}]
    assert str(version.columns().schema.field("n").type) == "int8"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("key,n\ncats/01.jpg,1\ncats/02.jpg,many\n", "column 'n', row 3: 'many' is not of type int64"),
        ("key,n\ncats/01.jpg,1\ncats/01.jpg,2\n", "more than one thing about 'cats/01.jpg' in rows 2, 3"),
        ("key,n\n,1\n", "column 'key', row 2 is empty"),
        ("name,n\nx,1\n", "no column key, id or digest"),
        ("key\ncats/01.jpg\n", "no label column"),
        ("key,n\n01.jpg,1\n", "are like '01.jpg', samples are like 'photos/cats/00.jpg'"),
        ("key,n,N\ncats/01.jpg,1,2\n", "two columns 'n' and 'N'"),
        ("key,key,n\ncats/01.jpg,1,2\n", "two columns 'key'"),
        ("digest,n\nzz,2\n", "'zz' is not a SHA-256 digest"),
        ("key,n\ncats/01.jpg,1,3\n", "Expected 2 columns, got 3"),
        ("", "Empty CSV file"),
        ("key,n\n", "no row belongs to a sample"),
    ],
)
def test_what_is_wrong_with_a_csv(ds, tmp_path, text, says):
    types = {"n": "int64"} if "many" in text else None
    with pytest.raises(InvalidData) as caught:
        ds.label(write(tmp_path / "bad.csv", text), types=types)
    assert says in str(caught.value)
    assert "bad.csv" in str(caught.value)
    assert ds.latest.number == 1


def test_a_wrong_type_deep_in_a_long_file(ds, tmp_path):
    rows = "".join(f"k{i},{i}\n" for i in range(100_000))
    path = write(tmp_path / "long.csv", "key,n\n" + rows + "cats/01.jpg,x\n")
    with pytest.raises(InvalidData, match="row 100002: 'x' is not of type int64"):
        ds.label(path, types={"n": "int64"})
    assert str(read_labels(path).columns.schema.field("n").type) == "string"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"key":"cats/01.jpg","n":1}\n{"key":"cats/02.jpg","n":"x"}\n', "column 'n', row 2: 'x' is a str"),
        ('{"key":"cats/01.jpg","n":1}\n{"key":\n', "row 2"),
        ('[1, 2]\n{"key":"x"}\n', "row 1: not a JSON object"),
    ],
)
def test_what_is_wrong_with_json_lines(ds, tmp_path, text, says):
    with pytest.raises(InvalidData) as caught:
        ds.label(write(tmp_path / "bad.jsonl", text))
    assert says in str(caught.value)


def test_other_mistakes(ds, catalog, tmp_path):
    with pytest.raises(NotFound):
        ds.label(tmp_path / "nothing.csv")
    with pytest.raises(InvalidInput, match=r"\.csv"):
        ds.label(write(tmp_path / "labels.xlsx", "x"))
    with pytest.raises(InvalidData, match=r"x\.parquet"):
        ds.label(write(tmp_path / "x.parquet", "no parquet"))
    bad = tmp_path / "latin.csv"
    bad.write_bytes(b"key,n\ncats/01.jpg,\xff\xfe\n")
    with pytest.raises(InvalidData, match=r"latin\.csv"):
        ds.label(bad)
    good = pa.table({"key": ["cats/01.jpg"], "n": [1]})
    with pytest.raises(InvalidInput, match="not a type"):
        ds.label(good, types={"n": "number"})
    with pytest.raises(InvalidInput, match="no column 'm'"):
        ds.label(good, types={"m": "int64"})
    with pytest.raises(InvalidInput, match="can't be joined by 'stem'"):
        ds.label(good, by="stem")
    with pytest.raises(InvalidName):
        ds.label(good, name="a b")
    with pytest.raises(NoSuchDataset):
        catalog.dataset("unborn").label(good)
    ds.label(good)
    with pytest.raises(InvalidData, match="'x' is not of type int64"):
        ds.label(pa.table({"key": ["cats/01.jpg"], "n": ["x"]}))
    assert ds.latest.number == 2


def test_digests_are_hex_in_either_case_and_nothing_else(ds):
    digests = [bytes(one).hex() for one in ds.latest.sha256()]
    keys = pa.chunked_array([["x" * 64, digests[0].upper()], digests[1:]])[1:]
    assert ds.label(pa.table({"digest": keys, "n": range(len(digests))})).matched == len(digests)
    for bad in ("é" * 32, "g" + digests[0][1:], digests[0][:-1], digests[0] + "0", " " + digests[0][1:], ""):
        with pytest.raises(InvalidData, match=r"is not a SHA-256 digest|empty"):
            ds.label(pa.table({"digest": [digests[1], bad], "n": [1, 2]}))
