"""PostObject: a browser's form that puts one file, its fields before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from maruhub.gateway.answer import Answer
from maruhub.gateway.s3.checksums import Expected
from maruhub.gateway.s3.documents.answers import posted_object
from maruhub.gateway.s3.documents.requests import read_tagging
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import Operation
from maruhub.gateway.s3.policies.form import PostPolicy, read_post_policy
from maruhub.gateway.s3.properties import read_properties
from maruhub.gateway.s3.request_headers import SIGNATURE_PARAMETERS, refuse_unknown
from maruhub.gateway.s3.route import KEY_BYTES_MAX
from maruhub.gateway.s3.tags import tagging_header
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.listings import xml
from maruhub.gateway.service.request import Caller, Request
from maruhub.gateway.service.writes import fields_of, written_headers
from maruhub.namespace import Namespace
from maruhub.namespace.bucket import Bucket
from maruhub.namespace.object import ObjectInfo
from maruhub.namespace.stream import Upload

FIELDS_BYTES_MAX: Final = 20 * 1024
_FIELDS_MAX: Final = 200
_HEADERS: Final = (
    "cache-control", "content-type", "content-disposition", "content-encoding", "content-language",
    "content-md5", "expires",
)  # fmt: skip
_OF_REQUEST: Final = ("host", "referer", "user-agent")
"""Headers of the request itself that answers tell, or policies ask about."""

Sender = Callable[[Mapping[str, str]], tuple[Caller, Namespace]]
"""Who sent a form, by its fields. Raises S3Failure."""


class FormSink:
    """Takes the bytes of one form.

    Args:
        request: The request, nobody having signed its head.
        sender: Finds out who did sign the form.
    """

    def __init__(self, request: Request, sender: Sender) -> None:
        self._request = request
        self._sender = sender
        self._fields: dict[str, str] = {}
        self._fields_bytes = 0
        self._part = _Part()
        self._parser = _parser(request.asked.headers.get("content-type", ""), self)
        self._upload: Upload[ObjectInfo] | None = None
        self._policy: PostPolicy | None = None
        self._bucket: Bucket | None = None
        self._expected = Expected({})
        self._done = False

    def write(self, data: bytes) -> None:
        """See :class:`Sink`."""
        try:
            self._parser.write(data)
        except FormParserError:
            raise S3Failure("MalformedPOSTRequest") from None

    def finish(self) -> Answer:
        """See :class:`Sink`."""
        if self._upload is None or self._bucket is None or not self._done:
            raise S3Failure("IncorrectNumberOfFilesInPostRequest" if not self._upload else "IncompleteBody")
        if self._policy is not None:
            self._policy.check_size(self._upload.size_bytes, ended=True)
        sum_ = self._expected.finish({})
        more = {"checksums": {self._expected.kind: sum_}, "checksum_type": "FULL_OBJECT"} if sum_ else {}
        return self._answer(self._bucket, self._upload.commit(fields=more))

    def abort(self) -> None:
        """See :class:`Sink`."""
        if self._upload is not None:
            self._upload.abort()

    # ------------------------------------------------------------ the parser's words

    def begin_part(self) -> None:
        """A part begins."""
        self._part = _Part()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        """Some bytes of a header's name."""
        self._part.header += data[start:end].lower()

    def header_value(self, data: bytes, start: int, end: int) -> None:
        """Some bytes of its value."""
        self._part.value += data[start:end]

    def end_header(self) -> None:
        """A header is complete."""
        self._part.headers[bytes(self._part.header)] = bytes(self._part.value)
        self._part.header.clear()
        self._part.value.clear()

    def end_headers(self) -> None:
        """The headers of a part are complete: of the file's, the upload begins."""
        disposition, options = parse_options_header(self._part.headers.get(b"content-disposition", b""))
        if disposition != b"form-data" or b"name" not in options:
            raise S3Failure("MalformedPOSTRequest")
        self._part.name = _text(options[b"name"]).lower()
        if self._part.name == "file" and self._upload is None:
            self._begin(options.get(b"filename", b""))

    def data(self, data: bytes, start: int, end: int) -> None:
        """Some bytes of a part's content."""
        if self._part.name != "file":
            self._hold(data[start:end])
        elif not self._done and self._upload is not None:
            view = memoryview(data)[start:end]
            self._upload.write(view)
            self._expected.update(view)
            if self._policy is not None:
                self._policy.check_size(self._upload.size_bytes, ended=False)

    def end_part(self) -> None:
        """A part is complete."""
        if self._part.name == "file":
            self._done = True
        elif self._upload is None:
            # What stands behind the file is passed over, as in S3.
            self._fields.setdefault(self._part.name, _text(self._part.content))

    def _hold(self, data: bytes) -> None:
        self._fields_bytes += len(data)
        if self._fields_bytes > FIELDS_BYTES_MAX or len(self._fields) > _FIELDS_MAX:
            raise S3Failure("MaxPostPreDataLengthExceededError")
        self._part.content += data

    # ------------------------------------------------------------ the upload

    def _begin(self, filename: bytes) -> None:
        fields = self._fields
        key = fields.get("key", "")
        if "${filename}" in key:
            name = _text(filename).replace("\\", "/").rpartition("/")[2]
            key = key.replace("${filename}", name)
        if not key:
            raise S3Failure("UserKeyMustBeSpecified", "Bucket POST must contain a field named 'key'.")
        if len(key.encode()) > KEY_BYTES_MAX:
            raise S3Failure("KeyTooLongError")
        caller, names = self._sender(fields)
        sent = self._request.asked.headers
        headers = _headers_of(fields) | {name: sent[name] for name in _OF_REQUEST if name in sent}
        refuse_unknown(headers)
        # A put in all that it asks for, so that it needs what a put does.
        asked = dataclasses.replace(
            self._request.asked, operation=Operation.PUT_OBJECT, key=key, headers=headers
        )
        self._request = dataclasses.replace(self._request, asked=asked, caller=caller, names=names)
        if not caller.anonymous:
            self._policy = read_post_policy(fields["policy"])
            told = fields | {"bucket": self._request.bucket, "key": key}
            self._policy.check(told, now_us=self._request.now_us)
        authority = Authority(self._request)
        authority.require_all()
        self._bucket = bucket = authority.bucket(self._request.bucket)
        said = read_properties(headers, now_us=self._request.now_us)
        self._expected = Expected(headers)
        self._upload = names.objects.upload(
            self._request.bucket,
            key,
            content_type=said.content_type or None,
            metadata=dict(said.metadata) or None,
            fields=fields_of(self._request, bucket, said),
        )

    def _answer(self, bucket: Bucket, info: ObjectInfo) -> Answer:
        location = f"{self._request.head.scheme}://{self._request.headers.get('host', '')}/{quote(f'{bucket.name}/{info.key}')}"
        headers = [*written_headers(bucket, info), ("location", location)]
        redirect = self._fields.get("success_action_redirect") or self._fields.get("redirect", "")
        if redirect and (target := _redirect(redirect, bucket.name, info)):
            return Answer(303, [*written_headers(bucket, info), ("location", target)])
        status = self._fields.get("success_action_status", "204")
        if status == "201":
            return xml(posted_object(location, bucket.name, info.key, info.etag), *headers, status=201)
        return Answer(200 if status == "200" else 204, headers)


def _text(raw: bytes | bytearray) -> str:
    """Raises S3Failure for what is no text: with something in its place two keys would be one."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise S3Failure("MalformedPOSTRequest", "Fields and names of a form must be UTF-8.") from None


class _Part:
    """A part in the making."""

    def __init__(self) -> None:
        self.header = bytearray()
        self.value = bytearray()
        self.headers: dict[bytes, bytes] = {}
        self.name = ""
        self.content = bytearray()


def _parser(content_type: str, sink: FormSink) -> MultipartParser:
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise S3Failure("MalformedPOSTRequest")
    try:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": sink.begin_part,
                "on_header_field": sink.header_name,
                "on_header_value": sink.header_value,
                "on_header_end": sink.end_header,
                "on_headers_finished": sink.end_headers,
                "on_part_data": sink.data,
                "on_part_end": sink.end_part,
            },
        )
    except FormParserError:
        raise S3Failure("MalformedPOSTRequest") from None


def _headers_of(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields that a put would have as headers; those of the signature aside."""
    kept = {n: v for n, v in fields.items() if n in _HEADERS or n.startswith("x-amz-")}
    kept = {name: value for name, value in kept.items() if name not in SIGNATURE_PARAMETERS}
    if fields.get("acl"):
        kept["x-amz-acl"] = fields["acl"]
    if fields.get("tagging"):
        kept["x-amz-tagging"] = tagging_header(read_tagging(fields["tagging"].encode()))
    return kept


def _redirect(target: str, bucket: str, info: ObjectInfo) -> str:
    """Where a browser is sent, with what it has put; empty for what is no address."""
    if urlsplit(target).scheme not in ("http", "https") or not target.isprintable() or not target.isascii():
        return ""
    told = urlencode({"bucket": bucket, "key": info.key, "etag": f'"{info.etag}"'})
    return f"{target}{'&' if urlsplit(target).query else '?'}{told}"
