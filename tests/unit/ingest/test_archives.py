"""Tar and zip: what is in them, and what hostile ones try."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from maruhub.errors import InvalidData

FILES = {"a.jpg": b"a" * 700, "x/b.jpg": b"b" * 3000, "x/y/c.bin": b"", "ü.txt": b"u"}
PACKINGS = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
    ".tar.zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mtime = 1_700_000_000
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def make_tar(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tar_of(files: Mapping[str, bytes]) -> bytes:
    return make_tar(*(member(name, data) for name, data in files.items()))


def zip_of(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in files.items():
            made.writestr(zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10)), data, method)
    return out.getvalue()


@pytest.fixture
def save(tmp_path: Path):
    def save(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return save


@pytest.mark.parametrize("ending", PACKINGS)
@pytest.mark.parametrize("large_bytes", [1000, 1 << 20])
def test_a_tar_of_any_packing(land, save, ending: str, large_bytes: int) -> None:
    path = save("data" + ending, PACKINGS[ending](tar_of(FILES)))
    report = land(path, "p", large_bytes=large_bytes)
    assert (report.stored, report.refused) == (4, ())
    assert land.objects() == {f"p/{name}": data for name, data in FILES.items()}
    again = land(path, "p", large_bytes=large_bytes)
    assert (again.stored, again.unchanged) == (0, 4)
    if ending == ".tar":
        assert again.bytes_read == 0


def test_the_packing_is_seen_in_the_bytes_not_the_name(land, save) -> None:
    assert land(save("wrong.tar.gz", tar_of(FILES))).stored == 4
    assert land(save("wrong.tar", gzip.compress(tar_of(FILES)))).unchanged == 4


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
@pytest.mark.parametrize("large_bytes", [1000, 1 << 20])
def test_a_zip_of_any_packing(land, save, method: int, large_bytes: int) -> None:
    path = save("data.zip", zip_of(FILES, method))
    assert land(path, large_bytes=large_bytes).stored == 4
    assert land.objects() == FILES
    again = land(path)
    assert (again.unchanged, again.bytes_read) == (4, 0)


def test_an_archive_as_one_object(land, save) -> None:
    data = tar_of(FILES)
    land(save("data.tar", data), unpack=False)
    assert land.objects() == {"data.tar": data}


def test_patterns_and_folder_labels(land, save) -> None:
    path = save("data.zip", zip_of({"cat/1.jpg": b"1", "dog/2.jpg": b"2", "dog/readme": b""}))
    land(path, include=("*.jpg",), labels="folder")
    assert sorted(land.objects()) == ["cat/1.jpg", "dog/2.jpg"]
    assert land.metadata("dog/2.jpg") == {"label": "dog"}


WEBDATASET = {
    "000.jpg": b"J" * 2000,
    "000.cls": b"3",
    "000.json": b'{"caption": "three", "width": 64}',
    "001.cls": b"4",
    "001.jpg": b"K" * 100,
    "001.seg.png": b"S",
    "002.txt": b"just text",
    "002.cls": b"5",
}


@pytest.mark.parametrize("name", ["shard.tar", "shard.tar.gz", "shard.zip"])
@pytest.mark.parametrize("large_bytes", [500, 1 << 20])
def test_webdataset_pairs(land, save, name: str, large_bytes: int) -> None:
    data = zip_of(WEBDATASET) if name.endswith("zip") else tar_of(WEBDATASET)
    path = save(name, gzip.compress(data) if name.endswith("gz") else data)
    land(path, labels="sidecar", large_bytes=large_bytes)
    assert sorted(land.objects()) == ["000.jpg", "001.jpg", "001.seg.png", "002.txt"]
    assert land.metadata("000.jpg") == {"label": "3", "caption": "three", "width": "64"}
    assert land.metadata("001.jpg") == land.metadata("001.seg.png") == {"label": "4"}
    assert land.metadata("002.txt") == {"label": "5"}
    assert land(path, labels="sidecar", large_bytes=large_bytes).unchanged == 4


LEADING_OUT = [
    "../up",
    "x/../../up",
    "/etc/passwd",
    "..",
    "x/..",
    "C:\\win",
    "..\\up",
    "\\abs",
    "a/..\\..\\b",
]


@pytest.mark.parametrize("packed", [False, True])
def test_names_that_lead_out_of_a_tar(land, save, reasons, packed: bool) -> None:
    data = make_tar(*(member(name, b"x") for name in LEADING_OUT), member("./good//file", b"g"))
    report = land(save("data.tar", gzip.compress(data) if packed else data))
    assert reasons(report) == dict.fromkeys(LEADING_OUT, "outside")
    assert land.objects() == {"good/file": b"g"}


def test_names_that_lead_out_of_a_zip(land, save, reasons) -> None:
    report = land(save("data.zip", zip_of(dict.fromkeys(LEADING_OUT, b"x") | {"good": b"g"})))
    assert reasons(report) == dict.fromkeys(LEADING_OUT, "outside")
    assert land.objects() == {"good": b"g"}


@pytest.mark.parametrize("packed", [False, True])
def test_links_and_devices_in_a_tar(land, save, reasons, packed: bool) -> None:
    data = make_tar(
        member("good", b"g"),
        member("soft", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("hard", type=tarfile.LNKTYPE, linkname="good"),
        member("disk", type=tarfile.BLKTYPE),
        member("tty", type=tarfile.CHRTYPE),
        member("pipe", type=tarfile.FIFOTYPE),
        member("odd", b"o", type=b"Z"),
        member("folder", type=tarfile.DIRTYPE),
        member("last", b"l"),
    )
    report = land(save("data.tar", gzip.compress(data) if packed else data))
    assert reasons(report) == {
        "soft": "link",
        "hard": "link",
        "disk": "special",
        "tty": "special",
        "pipe": "special",
        "odd": "special",
    }
    assert land.objects() == {"good": b"g", "last": b"l"}


def test_links_devices_and_passwords_in_a_zip(land, save, reasons) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, mode in (("link", 0o120777), ("disk", 0o060600), ("pipe", 0o010600), ("good", 0o100644)):
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            made.writestr(info, b"x")
    data = bytearray(out.getvalue())
    # The flag in the directory is what says that a member is encrypted.
    at = data.rindex(b"PK\x01\x02", 0, data.index(b"PK\x05\x06"))
    path = save("data.zip", bytes(data))
    assert reasons(land(path)) == {"link": "link", "disk": "special", "pipe": "special"}
    assert land.objects() == {"good": b"x"}
    data[at + 8] |= 1
    path.write_bytes(data)
    assert reasons(land(path, "again"))["good"] == "encrypted"


def test_members_stored_in_ways_that_are_not_read(land, save, reasons) -> None:
    data = make_tar(member("good", b"g"), member("sparse", b"s" * 100, type=tarfile.GNUTYPE_SPARSE))
    assert reasons(land(save("data.tar", data))) == {"sparse": "unsupported"}
    packed = bytearray(zip_of({"odd": b"o" * 10, "fine": b"f"}, zipfile.ZIP_STORED))
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        packed[packed.index(mark) + at] = 97
    assert reasons(land(save("data.zip", bytes(packed)))) == {"odd": "unsupported"}
    assert land.objects() == {"good": b"g", "fine": b"f"}


@pytest.mark.parametrize("packed", [False, True])
def test_a_name_that_is_not_utf8_in_a_tar(land, save, reasons, packed: bool) -> None:
    data = make_tar(member("caf\udce9", b"x"), member("good", b"g"), form=tarfile.GNU_FORMAT)
    report = land(save("data.tar", gzip.compress(data) if packed else data))
    assert reasons(report) == {"caf\\xe9": "not-utf8"}
    assert land.objects() == {"good": b"g"}


def test_the_first_of_two_members_of_one_name_is_taken(land, save, reasons) -> None:
    data = make_tar(member("a", b"first"), member("./a", b"second"))
    assert list(reasons(land(save("data.tar", data))).values()) == ["duplicate"]
    assert land.objects() == {"a": b"first"}
    twice = zip_of({"b": b"first", "c": b"second"}).replace(b"c", b"b")
    assert reasons(land(save("data.zip", twice))) == {"b": "duplicate"}


BOMBS = {
    ".tar.gz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
    ".tar.zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}


@pytest.mark.parametrize("ending", BOMBS)
@pytest.mark.parametrize("skipped", [False, True])
def test_a_bomb_in_a_tar(land, save, reasons, ending: str, skipped: bool) -> None:
    bomb = member("bomb", bytes(40 << 20))
    if skipped:
        bomb = (bomb[0], bomb[1])
        bomb[0].type = b"Z"
    path = save("data" + ending, BOMBS[ending](make_tar(member("good", b"g"), bomb, member("last", b"l"))))
    report = land(path, ratio_max=200)
    assert set(report.refused_count) <= {"bomb", "special"}
    assert report.refused_count["bomb"] == 1
    assert land.objects() == {"good": b"g"}


def test_a_bomb_in_a_zip(land, save, reasons) -> None:
    path = save("data.zip", zip_of({"bomb": bytes(40 << 20), "good": b"g"}, zipfile.ZIP_BZIP2))
    assert reasons(land(path)) == {"bomb": "bomb"}
    assert land.objects() == {"good": b"g"}


def test_a_zip_whose_members_share_their_bytes(land, save, reasons) -> None:
    """Many directory entries that point at one member: small, and huge when unpacked."""
    data = zip_of({"a": os.urandom(2000) + bytes(100_000)})
    at, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[at:end]
    count = 2000
    entries = b"".join(entry[:46] + b"%04d" % i + entry[47:] for i in range(count))
    entries = b"".join(
        entry[:28] + struct.pack("<H", 4) + entry[30:46] + b"%04d" % i + entry[47:] for i in range(count)
    )
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(entries), at, 0)
    report = land(save("data.zip", data[:at] + entries + tail), ratio_max=100)
    assert report.refused_count.get("bomb", 0) > 1000
    assert report.bytes_stored < 100 << 20


def test_too_many_members(land, save, ns) -> None:
    files = {f"{i:04}": b"x" for i in range(100)}
    report = land(save("data.tar", tar_of(files)), members_max=30)
    assert (report.stored, report.refused_count) == (30, {"too-many": 1})
    with pytest.raises(InvalidData, match="100 members"):
        land(save("data.zip", zip_of(files)), members_max=30)
    with pytest.raises(InvalidData, match="directory"):
        land(save("data.zip", zip_of(files)), members_max=10)


def test_more_bytes_than_allowed(land, save, reasons) -> None:
    files = {"a": os.urandom(3000), "b": os.urandom(3000), "c": os.urandom(100)}
    report = land(save("data.zip", zip_of(files)), archive_bytes_max=4000)
    assert reasons(report) == {"b": "too-large"}
    report = land(save("data.tar.gz", gzip.compress(tar_of(files))), "t", archive_bytes_max=4000)
    assert report.refused_count == {"too-large": 1}


@pytest.mark.parametrize("ending", PACKINGS)
def test_a_truncated_tar_keeps_what_was_whole(land, save, ending: str) -> None:
    files = {f"{i}": os.urandom(200_000) for i in range(10)}
    data = PACKINGS[ending](tar_of(files))
    report = land(save("data" + ending, data[: len(data) // 2]))
    assert report.refused_count == {"truncated": 1}
    objects = land.objects()
    assert objects.items() <= files.items()
    # A block that bzip2 began and did not end is lost whole, 900 KB.
    assert len(objects) >= (3 if ending == ".tar.bz2" else 4)


@pytest.mark.parametrize("packed", [False, True])
def test_a_tar_cut_between_members_is_noticed(land, save, reasons, packed: bool) -> None:
    data = tar_of({"a": b"a" * 512, "b": b"b" * 512})[:2048]
    report = land(save("data.tar", gzip.compress(data) if packed else data))
    assert list(reasons(report).values()) == ["truncated"]
    assert sorted(land.objects()) == ["a", "b"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_tar_damaged_in_the_middle(land, save, packed: bool) -> None:
    data = bytearray(tar_of({name: name.encode() * 512 for name in "abcd"}))
    data[2 * 1024 + 10] ^= 0xFF
    report = land(save("data.tar", gzip.compress(bytes(data)) if packed else bytes(data)))
    assert report.refused_count == {"truncated": 1}
    assert sorted(land.objects()) == ["a", "b"]


@pytest.mark.parametrize("name", ["no.tar", "no.tar.gz", "no.zip"])
@pytest.mark.parametrize("data", [b"", b"not an archive at all" * 100, b"\x1f\x8b\x08" + b"\xff" * 50])
def test_what_is_no_archive_changes_nothing(land, ns, save, name: str, data: bytes) -> None:
    with pytest.raises(InvalidData, match="not a"):
        land(save(name, data))
    assert ns.buckets.all() == []


def test_a_truncated_zip_says_what_to_do(land, ns, save) -> None:
    data = zip_of({"a": os.urandom(1000)})
    with pytest.raises(InvalidData, match="fetch it again"):
        land(save("data.zip", data[:700]))
    assert ns.buckets.all() == []


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_damaged_member_spares_the_rest(land, save, reasons, method: int) -> None:
    data = bytearray(zip_of({"a": os.urandom(3000), "b": b"b" * 100}, method))
    data[1500] ^= 0xFF
    assert reasons(land(save("data.zip", bytes(data)))) == {"a": "damaged"}
    assert land.objects() == {"b": b"b" * 100}


@pytest.mark.parametrize("lie", [10, 100_000])
@pytest.mark.parametrize("large_bytes", [0, 1 << 20])
def test_a_zip_that_lies_about_a_size(land, save, reasons, lie: int, large_bytes: int) -> None:
    data = bytearray(zip_of({"a": os.urandom(3000), "b": b"b"}))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", lie)
    assert reasons(land(save("data.zip", bytes(data)), large_bytes=large_bytes)) == {"a": "damaged"}
    assert sorted(land.objects()) == ["b"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_tar_header_that_leads_back_ends(land, save, packed: bool) -> None:
    info, data = member("a", b"a" * 512)
    info.pax_headers = {"size": "-1024"}
    made = make_tar((info, data), member("b", b"b"))
    report_of = save("data.tar", gzip.compress(made) if packed else made)
    try:
        report = land(report_of)
    except InvalidData:
        return
    assert report.refused_total >= 1


def test_an_absurd_extended_header_is_not_read_into_memory(land, save) -> None:
    info, data = member("a", b"a", pax_headers={"comment": "x" * 5_000_000})
    report = land(save("data.tar.gz", gzip.compress(make_tar(member("good", b"g"), (info, data)))))
    assert report.refused_count == {"damaged": 1}
    assert land.objects() == {"good": b"g"}


def test_pickles_are_bytes(land, save, tmp_path) -> None:
    mark = tmp_path / "ran"
    evil = b"cos\nsystem\n(S'touch " + bytes(mark) + b"'\ntR."
    land(save("data.tar", tar_of({"x.pkl": evil, "x.cls": b"1", "y.pth": evil})), labels="sidecar")
    assert land.objects() == {"x.pkl": evil, "y.pth": evil}
    assert not mark.exists()
