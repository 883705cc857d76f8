"""Requests drawn by a seed: those of every operation, with anything in them changed, signed or not."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote, urlencode

from maruhub.gateway.head import Head
from maruhub.gateway.s3.checksums import KINDS
from maruhub.gateway.s3.operation import Operation
from maruhub.gateway.s3.request_headers import _KNOWN
from maruhub.gateway.s3.signatures.v2 import signature_v2, string_to_sign_v2
from maruhub.namespace import PutItem
from maruhub.remote.putting import encode_write
from tests.fuzz.mutation import mutated
from tests.interop.rights_table import Stage, ask_for
from tests.s3_wire import Ask, presigned, signed
from tests.serving import Key

HOST: Final = "s3.example"
KEY: Final = Key("AKOWNER", "a secret", "owner")
NOW_S: Final = 1_800_000_000.0
"""The requests' own time: whoever checks them holds it for now."""
_LONG_BYTES: Final = 4096
_STAGE: Final = Stage("shelf", "0123456789abcdef")
_ODD: Final = (
    "", " ", "0", "-1", "1", "9" * 30, "0" * 5000 + "1", "²", "*", '"a"', 'W/"a"', "a, b", "bytes=0-1", "bytes=-5", "bytes=9-",
    "bytes=0-1,5-6", "true", "ON", "GOVERNANCE", "2099-01-01T00:00:00Z", "Thu, 01 Jan 2099 00:00:00 GMT",
    "=?UTF-8?B?w6k=?=", "=?x?Q?=FF?=", "a=b&c=d", "%00", "%ff", "/shelf/book", "/shelf/book?versionId=null",
    "REPLACE", "public-read", "SHA256", "CRC32,SHA1", "x" * 300, "id=a", "\0", "\x7f", "é", "AAAAAA==",
)  # fmt: skip
_NAMES: Final = (
    *sorted(_KNOWN), *(f"x-amz-checksum-{kind}" for kind in KINDS), "x-amz-meta-a", "x-amz-none", "range",
    "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "content-type", "content-md5",
    "content-encoding", "expires", "origin", "access-control-request-method", "host", "date", "expect",
    "access-control-request-headers", "amz-sdk-invocation-id", "content-length", "transfer-encoding",
)  # fmt: skip
_PARAMETERS: Final = (
    "versionId", "partNumber", "uploadId", "max-keys", "marker", "prefix", "delimiter", "encoding-type",
    "continuation-token", "start-after", "list-type", "key-marker", "version-id-marker", "max-uploads",
    "upload-id-marker", "max-parts", "part-number-marker", "fetch-owner", "response-content-type",
    "response-expires", "part-number-marker", "x-amz-acl", "x-amz-meta-b", "x-id", "acl", "policy", "tagging", "Signature",
    "X-Amz-Algorithm", "bucket-region", "max-buckets", "continuation-token",
)  # fmt: skip
_SOURCE: Final = {"dataset": "cats", "version": "v3", "operations": [["where", "a = 1"], ["sample", 5, 1]]}
_FORM_POLICY: Final = json.dumps(
    {"expiration": "2099-01-01T00:00:00Z", "conditions": [
        {"bucket": "shelf"}, ["starts-with", "$key", "a"], ["content-length-range", "1", "9"]]}
).encode()  # fmt: skip
_READS: Final = (
    {"format": 1, "objects": [{"bucket": "shelf", "keys": ["a", "b"], "version_ids": [None, "f1"]}], "skip": 1},
    {"format": 1, "samples": _SOURCE, "rows": [7, 8], "columns": False},
    {"format": 1, "epoch": {"parts": [_SOURCE, {"view": "0" * 64}]}, "batch_size": 64, "seed": 7, "world": 2,
     "from": [0, 4096], "order": {"kind": "mixed", "shares": [3, 1]}, "joined": [[_SOURCE, 1, 2, 3]]},
)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A request as the protocol gets it: its head, the names of all headers sent, its body."""

    head: Head
    names: tuple[str, ...]
    body: bytes


class Requests:
    """Requests without end.

    Args:
        rng: What they are drawn by.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._asks = [ask_for(operation, _STAGE) for operation in Operation]
        self._asks += [Ask("POST", "/-/batch/v1/read", "", {}, json.dumps(each).encode()) for each in _READS]
        item = PutItem("k", b"bytes", metadata={"a": "b"})
        self._asks.append(Ask("POST", "/shelf", "policy", {}, _FORM_POLICY))
        self._asks.append(Ask("POST", "/-/batch/v1/write", "", {}, encode_write("shelf", [item, item])))

    def draw(self) -> Drawn:
        """The next one."""
        rng = self._rng
        ask = rng.choice(self._asks)
        for _ in range(rng.choice((0, 0, 1, 1, 2, 5))):
            ask = self._changed(ask)
        head = self._signed(ask)
        if rng.random() < 0.2:
            head = self._broken(head)
        return Drawn(head, tuple(dict.fromkeys(name for name, _ in head.headers)), ask.body)

    # ------------------------------------------------------------ before it is signed

    def _changed(self, ask: Ask) -> Ask:
        rng = self._rng
        what = rng.randrange(6)
        if what == 0:
            return replace(ask, path="/" + self._text(ask.path))
        if what == 1:
            more = urlencode({rng.choice(_PARAMETERS): rng.choice(_ODD)}, errors="surrogateescape")
            return replace(ask, query=f"{ask.query}&{more}" if ask.query else more)
        if what == 2:
            return replace(ask, query=self._text(ask.query))
        if what == 3:
            return replace(ask, body=mutated(rng, ask.body))
        if what == 4 and 0 < len(ask.body) < _LONG_BYTES:
            return replace(ask, body=ask.body * rng.choice((2, 50)))
        value = rng.choice((rng.choice(_ODD), self._text(rng.choice(_ODD))))
        return replace(ask, headers={**ask.headers, rng.choice(_NAMES): value})

    def _text(self, text: str) -> str:
        """Any text, with bytes that are no UTF-8 as a server's runtime gives them."""
        return mutated(self._rng, text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")

    # ------------------------------------------------------------ signatures

    def _signed(self, ask: Ask) -> Head:
        way = self._rng.random()
        if way < 0.6:
            payload = self._rng.choice((None, None, "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"))
            return _head(ask, signed(ask, KEY, HOST, now=NOW_S, payload=payload)[0])
        if way < 0.75:
            ask = presigned(ask, KEY, HOST, now=NOW_S)
        plain = _head(ask, [("host", HOST), *ask.headers.items()])
        return self._link_v2(plain) if way > 0.9 else plain

    def _link_v2(self, head: Head) -> Head:
        expires = str(int(NOW_S) + 60)
        said = {"AWSAccessKeyId": KEY.access_key, "Expires": expires}
        said["Signature"] = signature_v2(KEY.secret_key, string_to_sign_v2(head, expires))
        more = urlencode(said)
        return replace(head, query=f"{head.query}&{more}" if head.query else more)

    def _broken(self, head: Head) -> Head:
        """Something changed behind the signer's back."""
        rng = self._rng
        what = rng.randrange(5)
        if what == 0:
            return replace(head, query=self._text(head.query))
        if what == 1:
            return replace(
                head, method=rng.choice(("GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "get", ""))
            )
        if what == 2:
            return replace(head, path="/" + self._text(head.path))
        headers = list(head.headers)
        at = rng.randrange(len(headers))
        name, value = headers[at]
        headers[at] = (name, self._text(value))
        if what == 3:
            headers.append(headers[at])
        return replace(head, headers=tuple(headers))


def _head(ask: Ask, headers: list[tuple[str, str]]) -> Head:
    sent = tuple((name, value.strip()) for name, value in headers)
    return Head(ask.method, unquote(ask.path, errors="surrogateescape"), ask.query, sent)
