"""Uploads in parts: assembled byte for byte, exact when tried again, gone when aborted."""

from __future__ import annotations

import hashlib
import io
import random

import pytest

from maruhub.errors import InvalidInput, InvalidPart, NoSuchBucket, NoSuchUpload, PreconditionFailed
from maruhub.namespace import Namespace, uploads
from maruhub.namespace.part import MultipartUpload, PartInfo, pack_sizes, unpack_sizes

KEY = "films/a.mov"


def begun(ns: Namespace, **how: object) -> MultipartUpload:
    return ns.uploads.begin("photos", KEY, content_type="video/mp4", metadata={"by": "ann"}, **how)


def given(ns: Namespace, upload: MultipartUpload, number: int, data: bytes) -> PartInfo:
    return ns.uploads.put_part("photos", KEY, upload.upload_id, number, io.BytesIO(data))


def named(*parts: PartInfo) -> list[tuple[int, str]]:
    return [(part.number, part.etag) for part in parts]


@pytest.mark.parametrize("sizes", [(8192, 4096, 100), (8192, 5000, 4096, 1), (3 << 20, 1), (0,), (7,)])
def test_what_was_uploaded_in_parts_is_one_object(ns: Namespace, sizes: tuple[int, ...]) -> None:
    chance = random.Random(1)
    datas = [chance.randbytes(size) for size in sizes]
    upload = begun(ns)
    order = list(enumerate(datas, 1))
    chance.shuffle(order)
    parts = {number: given(ns, upload, number, data) for number, data in order}
    assert ns.listing.page("photos").objects == []
    info = ns.uploads.complete(
        "photos", KEY, upload.upload_id, named(*(parts[n] for n in sorted(parts))), part_bytes_min=0
    )
    whole = b"".join(datas)
    assert ns.objects.read("photos", KEY) == whole
    assert (info.size, info.sha256) == (len(whole), hashlib.sha256(whole).digest())
    opaque = hashlib.md5(b"".join(hashlib.md5(data).digest() for data in datas)).hexdigest()
    assert info.etag == f"{opaque}-{len(datas)}"
    assert (info.content_type, info.metadata) == ("video/mp4", {"by": "ann"})
    assert unpack_sizes(info.tail["parts"]) == list(sizes)
    assert list(ns.uploads.all("photos")) == []
    assert ns.objects.head("photos", KEY) == info


def test_a_completion_whose_answer_was_lost_finds_its_object(ns: Namespace) -> None:
    upload = begun(ns)
    part = given(ns, upload, 1, b"film")
    info = ns.uploads.complete("photos", KEY, upload.upload_id, named(part))
    assert ns.uploads.complete("photos", KEY, upload.upload_id, named(part)) == info
    ns.objects.put("photos", KEY, b"another")
    assert ns.uploads.complete("photos", KEY, upload.upload_id, named(part)).version_id == info.version_id
    assert ns.objects.read("photos", KEY) == b"another"


@pytest.mark.parametrize("where", ["decode_upload", "assemble"])
@pytest.mark.parametrize("aborted", [False, True])
def test_a_completion_sent_again_while_the_first_runs(
    ns: Namespace, monkeypatch: pytest.MonkeyPatch, where: str, aborted: bool
) -> None:
    """The other try ends between two steps of this one: before it reads the parts, or behind that."""
    upload = begun(ns)
    part = given(ns, upload, 1, b"film")
    made = []

    def ends() -> None:
        if aborted:
            ns.uploads.abort("photos", KEY, upload.upload_id)
        else:
            made.append(ns.uploads.complete("photos", KEY, upload.upload_id, named(part)))

    real = getattr(uploads, where)

    def interposed(*given: object) -> object:
        monkeypatch.setattr(uploads, where, real)
        ends()
        return real(*given)

    monkeypatch.setattr(uploads, where, interposed)
    how = {"if_none_match": True}
    if aborted:
        with pytest.raises(NoSuchUpload):
            ns.uploads.complete("photos", KEY, upload.upload_id, named(part), **how)
    else:
        assert [ns.uploads.complete("photos", KEY, upload.upload_id, named(part), **how)] == made


def test_a_part_is_replaced_by_a_later_one_of_its_number(ns: Namespace) -> None:
    upload = begun(ns)
    old = given(ns, upload, 1, b"old")
    new = given(ns, upload, 1, b"new!")
    assert [part.size for part in ns.uploads.parts("photos", KEY, upload.upload_id)] == [4]
    with pytest.raises(InvalidPart):
        ns.uploads.complete("photos", KEY, upload.upload_id, named(old))
    ns.uploads.complete("photos", KEY, upload.upload_id, named(new))
    assert ns.objects.read("photos", KEY) == b"new!"


def test_parts_that_are_not_named_are_let_go_of(ns: Namespace) -> None:
    upload = begun(ns)
    first, _, third = (given(ns, upload, number, bytes([number])) for number in (1, 2, 3))
    with pytest.raises(InvalidPart, match="all but the last need"):
        ns.uploads.complete("photos", KEY, upload.upload_id, named(first, third))
    ns.uploads.complete("photos", KEY, upload.upload_id, named(first, third), part_bytes_min=1)
    assert ns.objects.read("photos", KEY) == b"\1\3"
    with pytest.raises(NoSuchUpload):
        ns.uploads.parts("photos", KEY, upload.upload_id)


@pytest.mark.parametrize("numbers", [(), (2, 1), (1, 1), (0,), (1, 3)])
def test_parts_that_are_no_list_of_parts(ns: Namespace, numbers: tuple[int, ...]) -> None:
    upload = begun(ns)
    etag = given(ns, upload, 1, b"a").etag
    given(ns, upload, 2, b"a")
    with pytest.raises(InvalidPart):
        ns.uploads.complete("photos", KEY, upload.upload_id, [(n, etag) for n in numbers], part_bytes_min=0)
    assert [part.number for part in ns.uploads.parts("photos", KEY, upload.upload_id)] == [1, 2]


def test_an_abort_ends_it(ns: Namespace) -> None:
    upload, other = begun(ns), begun(ns)
    given(ns, upload, 1, b"a")
    part = given(ns, other, 1, b"b")
    ns.uploads.abort("photos", KEY, upload.upload_id)
    with pytest.raises(NoSuchUpload):
        ns.uploads.abort("photos", KEY, upload.upload_id)
    with pytest.raises(NoSuchUpload):
        given(ns, upload, 2, b"a")
    assert [one.upload_id for one in ns.uploads.all("photos")] == [other.upload_id]
    ns.uploads.complete("photos", KEY, other.upload_id, named(part))
    assert ns.objects.read("photos", KEY) == b"b"


def test_an_abort_while_a_part_arrives(ns: Namespace) -> None:
    upload = begun(ns)
    arriving = ns.uploads.part("photos", KEY, upload.upload_id, 1)
    arriving.write(b"a")
    ns.uploads.abort("photos", KEY, upload.upload_id)
    with pytest.raises(NoSuchUpload):
        arriving.commit()
    assert list(ns.uploads.all("photos")) == []


def test_uploads_are_listed_by_key_and_age(ns: Namespace) -> None:
    keys = ["b", "a", "a/b", "a", "c\0"]
    uploads = [ns.uploads.begin("photos", key) for key in keys]
    ns.uploads.put_part("photos", "a", uploads[1].upload_id, 1, io.BytesIO(b"x"))
    found = [(one.key, one.number) for one in ns.uploads.all("photos")]
    assert found == sorted((one.key, one.number) for one in uploads)
    assert [one.key for one in ns.uploads.all("photos", "a/")] == ["a/b"]
    assert [one.actor for one in ns.uploads.all("photos", "b")] == ["ann@host"]


def test_parts_are_listed_in_pages(ns: Namespace) -> None:
    upload = begun(ns)
    for number in (10_000, 3, 1):
        given(ns, upload, number, bytes(number % 7))
    parts = ns.uploads.parts
    assert [p.number for p in parts("photos", KEY, upload.upload_id, limit=2)] == [1, 3]
    assert [p.number for p in parts("photos", KEY, upload.upload_id, after=3)] == [10_000]
    assert parts("photos", KEY, upload.upload_id, after=10_000) == []


def test_conditions_are_those_of_a_put(ns: Namespace) -> None:
    upload = begun(ns)
    part = given(ns, upload, 1, b"a")
    held = ns.objects.put("photos", KEY, b"held")
    with pytest.raises(PreconditionFailed):
        ns.uploads.complete("photos", KEY, upload.upload_id, named(part), if_none_match=True)
    ns.uploads.complete("photos", KEY, upload.upload_id, named(part), if_match=held.etag)
    assert ns.objects.read("photos", KEY) == b"a"
    assert [version.info.version_id for version in ns.past.versions("photos")] == [held.version_id]


def test_what_is_no_upload(ns: Namespace) -> None:
    upload = begun(ns)
    for wrong in ("", "0" * 16, "0x" + upload.upload_id[2:], upload.upload_id.upper() + "0", "é" * 16):
        with pytest.raises(NoSuchUpload):
            ns.uploads.parts("photos", KEY, wrong)
    with pytest.raises(NoSuchUpload):
        ns.uploads.parts("photos", "other", upload.upload_id)
    with pytest.raises(NoSuchBucket):
        ns.uploads.begin("nowhere", KEY)
    for number in (0, 10_001):
        with pytest.raises(InvalidInput):
            given(ns, upload, number, b"a")


def test_sizes_of_parts_are_kept_as_runs() -> None:
    assert pack_sizes([8, 8, 8, 3]) == [[3, 8], [1, 3]]
    assert unpack_sizes(pack_sizes([5, 5, 1, 5])) == [5, 5, 1, 5]
    assert pack_sizes(list(range(10_000))) == []
