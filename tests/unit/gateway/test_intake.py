"""What is kept under an object's sums is what hashlib says, whichever of them the request brought along."""

from __future__ import annotations

import base64
import hashlib

import pytest

from maruhub.errors import MaruError
from maruhub.gateway.s3.signatures.v4 import Payload, PayloadMode
from maruhub.gateway.service.sinks import Intake
from maruhub.namespace.digests import INLINE_BYTES

DATA = b"the hall" * 1000
SHA256 = hashlib.sha256(DATA)
MD5 = hashlib.md5(DATA, usedforsecurity=False)
SIGNED = Payload(PayloadMode.SIGNED, SHA256.hexdigest())
BRINGS = {
    "content-md5": base64.b64encode(MD5.digest()).decode(),
    "x-amz-checksum-sha256": base64.b64encode(SHA256.digest()).decode(),
    "x-amz-checksum-crc32c": "",
}


def taken(data: bytes, payload: Payload | None, *names: str) -> Intake:
    headers = {"content-length": str(len(data)), **{name: BRINGS[name] for name in names}}
    intake = Intake(headers, payload, None)
    assert b"".join(intake.payload(data)) == data
    return intake


@pytest.mark.parametrize(
    ("payload", "names"),
    [
        (SIGNED, ()),
        (None, ("content-md5",)),
        (SIGNED, ("content-md5",)),
        (None, ("x-amz-checksum-sha256",)),
        (SIGNED, ("content-md5", "x-amz-checksum-sha256")),
    ],
)
def test_sums_that_a_request_brings_are_the_objects_own(payload: Payload | None, names: tuple[str, ...]):
    intake = taken(DATA, payload, *names)
    intake.finish()
    assert intake.digest(DATA) == (MD5.digest(), SHA256.digest())


def test_where_it_brings_none_what_is_small_is_summed_here_and_what_is_large_by_whoever_keeps_it():
    intake = taken(DATA, None)
    intake.finish()
    assert intake.digest(DATA) == (MD5.digest(), SHA256.digest())
    large = DATA * 17
    assert len(large) > INLINE_BYTES
    intake = taken(large, None)
    intake.finish()
    assert intake.digest(large) is None


@pytest.mark.parametrize(
    ("payload", "names"), [(SIGNED, ()), (None, ("content-md5",)), (None, ("x-amz-checksum-sha256",))]
)
def test_another_body_is_refused_before_its_sums_are_asked(payload: Payload | None, names: tuple[str, ...]):
    with pytest.raises(MaruError):
        taken(DATA[:-1] + b"?", payload, *names).finish()
