"""Chunked bodies: AWS's published example is right; cut, altered or lying ones are refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.signatures.chunks import Chunks
from maruhub.wire.signing import Scope, Signer, signing_key

# "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks".
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SIGNER = Signer(
    "AKIAIOSFODNN7EXAMPLE",
    Scope("20130524", "us-east-1"),
    "20130524T000000Z",
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    signing_key(SECRET, "20130524", "us-east-1"),
)
BODY = (
    b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
    + b"a" * 65536
    + b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
    + b"a" * 1024
    + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
)
PLAIN = b"3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"


def _decode(body: bytes, size: int, step: int = 1 << 20, *, signer: Signer | None = SIGNER) -> bytes:
    chunks = Chunks(size, signer=signer, with_trailer=signer is None)
    out = b"".join(piece for at in range(0, len(body), step) for piece in chunks.feed(body[at : at + step]))
    chunks.finish()
    return out


@pytest.mark.parametrize("step", [1, 7, 65536, 1 << 20])
def test_the_published_body_is_right(step: int):
    assert _decode(BODY, 66560, step) == b"a" * 66560


@pytest.mark.parametrize("size", [66559, 66561, 0])
def test_a_wrong_length_is_refused(size: int):
    with pytest.raises(S3Failure):
        _decode(BODY, size)


@given(st.integers(0, 66_900), st.integers(1, 255))
def test_no_byte_may_change(at: int, flip: int):
    body = bytearray(BODY)
    at %= len(body)
    body[at] ^= flip
    if bytes(body).lower() == BODY.lower() and at < 5:
        return
    with pytest.raises(S3Failure):
        _decode(bytes(body), 66560)


def test_a_body_cut_anywhere_is_incomplete():
    for end in range(len(PLAIN)):
        with pytest.raises(S3Failure) as refused:
            _decode(PLAIN[:end], 5, signer=None)
        assert refused.value.code == "IncompleteBody"
    assert _decode(PLAIN, 5, 1, signer=None) == b"abcde"


@pytest.mark.parametrize(
    "body",
    [
        PLAIN + b"x",
        b"1000001\r\n",
        b"-1\r\n",
        b"3\r\nabcd\r\n",
        b"3\nabc\r\n",
        b"0" * 5000,
        PLAIN[:-2] + b"x-amz-checksum-crc32:B\r\n\r\n",
        b"3;chunk-signature=" + b"0" * 64 + b"\r\n",
    ],
)
def test_broken_framing_is_refused(body: bytes):
    with pytest.raises(S3Failure):
        _decode(body, 5, signer=None)


def test_byte_by_byte_takes_linear_time():
    def seconds(size: int) -> float:
        body = b"1\r\na\r\n" * size + b"0\r\n\r\n"
        begun = time.process_time()
        assert len(_decode(body, size, 1, signer=None)) == size
        return time.process_time() - begun

    assert min(seconds(16000) for _ in range(3)) < 32 * min(seconds(2000) for _ in range(3))


@pytest.mark.parametrize("size", [16 << 20, (16 << 20) + 1, 5 << 30, 5 << 40])
def test_a_body_may_be_one_chunk(size: int):
    """As SDKs send it; of the largest ones only the beginning is fed."""
    chunks = Chunks(size, signer=None, with_trailer=True)
    fed = memoryview(bytes(1 << 20))
    given_out = sum(len(piece) for piece in chunks.feed(f"{size:x}\r\n".encode()))
    for _ in range(min(16, size >> 20)):
        given_out += sum(len(piece) for piece in chunks.feed(fed))
    assert given_out == 16 << 20
    rest = size - given_out
    if rest <= 1:
        assert sum(len(piece) for piece in chunks.feed(bytes(rest) + b"\r\n0\r\n\r\n")) == rest
        assert chunks.finish() == {}
