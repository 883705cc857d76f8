"""Uploads in parts: begun, parts taken in or copied, completed, aborted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from maruhub.errors import NoSuchUpload, PreconditionFailed
from maruhub.gateway.answer import Answer
from maruhub.gateway.s3.byte_range import read_copy_range
from maruhub.gateway.s3.checksums import KINDS, composite, decoded, full_object, pack_sums, sums_given
from maruhub.gateway.s3.documents.answers import begun_upload, completed_upload, copied_part
from maruhub.gateway.s3.documents.requests import CompletedPart, read_complete_upload
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.properties import read_copy_source, read_part_number, read_properties
from maruhub.gateway.s3.signatures.v4 import Payload
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.copies import find_source, source_headers
from maruhub.gateway.service.expiring import abort_headers
from maruhub.gateway.service.listings import xml
from maruhub.gateway.service.request import Request
from maruhub.gateway.service.sinks import Intake
from maruhub.gateway.service.writes import condition_of, fields_of, headers_beside, refused
from maruhub.namespace.part import MultipartUpload, PartInfo
from maruhub.wire.signing import Signer

_OF_WHOLE = ("crc32", "crc32c", "crc64nvme")
_OF_PARTS = ("crc32", "crc32c", "sha1", "sha256")


def create_multipart_upload(request: Request, authority: Authority) -> Answer:
    """Begins one; what its headers say is what the object will be."""
    bucket = authority.bucket(request.bucket)
    said = read_properties(request.headers, now_us=request.now_us)
    kind, type_ = _checksum_asked(request.headers)
    fields = fields_of(request, bucket, said)
    if kind:
        fields |= {"checksum_kind": kind, "checksum_type": type_}
    upload = request.names.uploads.begin(
        request.bucket,
        request.key,
        content_type=said.content_type or None,
        metadata=dict(said.metadata) or None,
        fields=fields,
    )
    headers = abort_headers(bucket, upload)
    if kind:
        headers += [("x-amz-checksum-algorithm", kind.upper()), ("x-amz-checksum-type", type_)]
    return xml(begun_upload(request.bucket, request.key, upload.upload_id), *headers)


def _checksum_asked(headers: Mapping[str, str]) -> tuple[str, str]:
    """Kind and type of the object's checksum; S3's defaults where one of them is left out."""
    kind = headers.get("x-amz-checksum-algorithm", "").lower()
    type_ = headers.get("x-amz-checksum-type", "").upper()
    if not kind:
        if type_:
            raise S3Failure(
                "InvalidRequest", "The x-amz-checksum-type header needs x-amz-checksum-algorithm."
            )
        return "", ""
    if kind not in KINDS:
        raise S3Failure("InvalidRequest", "Checksum algorithm provided is unsupported.")
    type_ = type_ or ("FULL_OBJECT" if kind == "crc64nvme" else "COMPOSITE")
    if kind not in {"FULL_OBJECT": _OF_WHOLE, "COMPOSITE": _OF_PARTS}.get(type_, ()):
        raise S3Failure(
            "InvalidRequest", f"The {type_} checksum type cannot be used with the {kind} checksum algorithm."
        )
    return kind, type_


class PartSink:
    """Takes the bytes of one part."""

    def __init__(
        self, request: Request, authority: Authority, payload: Payload | None, signer: Signer | None
    ) -> None:
        authority.bucket(request.bucket)
        number, upload_id = _part_asked(request)
        upload = request.names.uploads.get(request.bucket, request.key, upload_id)
        self._intake = Intake(request.headers, payload, signer)
        self._kind = upload.tail.get("checksum_kind", "")
        if self._kind and self._intake.expected.kind not in ("", self._kind):
            raise S3Failure(
                "InvalidRequest",
                f"Checksum Type mismatch occurred, expected checksum Type: {self._kind},"
                f" actual checksum Type: {self._intake.expected.kind}",
            )
        self._intake.also(self._kind)
        self._upload = request.names.uploads.part(
            request.bucket, request.key, upload_id, number, size_bytes=self._intake.size_bytes
        )

    def write(self, data: bytes) -> None:
        """See :class:`Sink`."""
        for view in self._intake.payload(data):
            self._upload.write(view)

    def finish(self) -> Answer:
        """See :class:`Sink`."""
        sums = self._intake.finish()
        part = self._upload.commit(fields={"checksums": sums} if sums else {})
        headers = [("etag", f'"{part.etag}"')]
        return Answer(200, headers + [(f"x-amz-checksum-{kind}", value) for kind, value in sums.items()])

    def abort(self) -> None:
        """See :class:`Sink`."""
        self._upload.abort()


def _part_asked(request: Request) -> tuple[int, str]:
    number = read_part_number(request.asked)
    assert number is not None, "the route asks for one"
    return number, request.asked.parameters["uploadId"]


def upload_part_copy(request: Request, authority: Authority) -> Answer:
    """A part made of an object's bytes, or of a range of them."""
    number, upload_id = _part_asked(request)
    uploads = request.names.uploads
    upload = uploads.get(request.bucket, request.key, upload_id)
    source = read_copy_source(request.headers["x-amz-copy-source"])
    info = find_source(request, authority, source)
    span = read_copy_range(request.headers.get("x-amz-copy-source-range"), info.size)
    offset, length = (0, info.size) if span is None else span
    kind = upload.tail.get("checksum_kind", "")
    intake = Intake({"content-length": str(length)}, None, None)
    intake.also(kind)
    sink = uploads.part(request.bucket, request.key, upload_id, number)
    try:
        for piece in request.names.objects.chunks(info, offset=offset, length=length):
            for view in intake.payload(bytes(piece)):
                sink.write(view)
        sums = intake.finish()
        part = sink.commit(fields={"checksums": sums} if sums else {})
    except BaseException:
        sink.abort()
        raise
    named = {f"Checksum{name.upper()}": value for name, value in sums.items()}
    return xml(copied_part(part.etag, part.time_us, named), *source_headers(authority, source, info))


def complete_multipart_upload(request: Request, authority: Authority) -> Answer:
    """Makes the object; asked again after its answer was lost, it finds what it made."""
    bucket = authority.bucket(request.bucket)
    named = read_complete_upload(request.body)
    upload_id = request.asked.parameters["uploadId"]
    conditions, condition = condition_of(request)
    fields = _sums_of_whole(request, upload_id, named)
    try:
        info = request.names.uploads.complete(
            request.bucket,
            request.key,
            upload_id,
            [(part.number, part.etag) for part in named],
            fields=fields,
            **condition,
        )
    except PreconditionFailed as failure:
        raise refused(request, conditions, failure) from None
    sums = {f"Checksum{kind.upper()}": value for kind, value in info.tail.get("checksums", {}).items()}
    body = completed_upload(
        _address(request),
        request.bucket,
        request.key,
        etag=info.etag,
        checksums=sums,
        checksum_type=info.tail.get("checksum_type", "") if sums else "",
    )
    return xml(body, *headers_beside(bucket, info))


def _address(request: Request) -> str:
    """Where the object is, as the client would ask for it."""
    host = f"{request.head.scheme}://{request.headers.get('host', '')}"
    path = quote(request.key, safe="/~")
    return f"{host}/{path}" if request.asked.virtual_host else f"{host}/{request.bucket}/{path}"


def _sums_of_whole(request: Request, upload_id: str, named: tuple[CompletedPart, ...]) -> dict[str, Any]:
    """The checksum of the object to be, after the parts' own were compared with what the client says.

    Nothing if the upload is no more: ``complete`` knows whether it was completed before.
    """
    try:
        upload = request.names.uploads.get(request.bucket, request.key, upload_id)
    except NoSuchUpload:
        return {}
    kind, type_ = upload.tail.get("checksum_kind", ""), upload.tail.get("checksum_type", "")
    used = _parts_used(request, upload, named)
    if len(used) == len(named):
        _check_size(request.headers, used)
    _check_kind(request.headers, kind, type_)
    if not kind:
        return {}
    if len(used) != len(named) or any(kind not in part.tail.get("checksums", {}) for part in used):
        return {"checksum_kind": None, "checksum_type": None}
    sums = [decoded(kind, part.tail["checksums"][kind]) for part in used]
    if type_ == "COMPOSITE":
        value, kept = composite(kind, sums), pack_sums(sums)
    else:
        value, kept = full_object(kind, zip(sums, (part.size for part in used), strict=True)), ""
    # With the number of parts or without it, which only a composite one has.
    if sums_given(request.headers).get(kind, value) not in (value, value.partition("-")[0]):
        raise S3Failure("BadDigest", f"The {kind.upper()} you specified did not match what was received.")
    told = {"checksums": {kind: value}, "checksum_type": type_}
    return told | {"part_sums": kept} if kept else told


def _parts_used(
    request: Request, upload: MultipartUpload, named: tuple[CompletedPart, ...]
) -> list[PartInfo]:
    """Those of the parts named that are there. Raises S3Failure for one with another checksum, or without it."""
    parts = {part.number: part for part in _all_parts(request, upload)}
    for each in named:
        part = parts.get(each.number)
        if part is not None and not each.checksums.items() <= part.tail.get("checksums", {}).items():
            raise S3Failure("InvalidPart", PartNumber=str(each.number))
    return [parts[each.number] for each in named if each.number in parts]


def _check_kind(headers: Mapping[str, str], kind: str, type_: str) -> None:
    """Nothing, if the checksum that the client gives of the whole is one that will be made of it."""
    asked = headers.get("x-amz-checksum-type", "").upper()
    # S3 makes a sum of the whole where none was asked for.
    if asked and asked != (type_ or "FULL_OBJECT"):
        raise S3Failure("BadDigest", f"The upload was begun with the checksum type {type_ or 'FULL_OBJECT'}.")
    others = sums_given(headers).keys() - {kind}
    if others:
        text = f"The upload was begun with the checksum algorithm {kind or 'none'}, not {min(others)[:32]}."
        raise S3Failure("InvalidRequest", text)


def _check_size(headers: Mapping[str, str], parts: list[PartInfo]) -> None:
    given = headers.get("x-amz-mp-object-size")
    if given is not None and given != str(sum(part.size for part in parts)):
        raise S3Failure("InvalidRequest", "The x-amz-mp-object-size is not the size of the parts.")


def _all_parts(request: Request, upload: MultipartUpload) -> list[PartInfo]:
    found: list[PartInfo] = []
    while True:
        after = found[-1].number if found else 0
        page = request.names.uploads.parts(request.bucket, request.key, upload.upload_id, after=after)
        found += page
        if len(page) < 1000:
            return found


def abort_multipart_upload(request: Request, authority: Authority) -> Answer:
    """Ends one; its bytes are let go of."""
    authority.bucket(request.bucket)
    request.names.uploads.abort(request.bucket, request.key, request.asked.parameters["uploadId"])
    return Answer(204, [])
