"""Blade identities and segment headers: frozen bytes, and whatever a drive may return instead."""

from __future__ import annotations

import hashlib
import struct
import zlib

import pytest

from maruhub.errors import Corrupt, UnsupportedFormat
from maruhub.store.format.header import SegmentHeader, decode_header, encode_header, log_name, log_segment
from maruhub.store.format.identity import BladeIdentity, decode_identity, encode_identity
from maruhub.store.format.segment_class import SegmentClass

IDENTITY = BladeIdentity(
    bytes(range(16)), bytes(range(16, 32)), 0xFEDCBA9876543210, 256 << 20, 1_700_000_000, 3
)
HEADER = SegmentHeader(
    pool_id=bytes(range(16)),
    segment=0x0123456789ABCDEF,
    segment_class=SegmentClass.META,
    generation=1,
    created_us=1_700_000_000_000_001,
    segment_bytes=256 << 20,
    marker=bytes(range(32, 48)),
    blades=(b"a" * 16, b"b" * 16, b"c" * 16),
)
BLOCKS = [(encode_identity(IDENTITY), decode_identity), (encode_header(HEADER), decode_header)]


def seal(magic: bytes, version: int, body: bytes) -> bytes:
    body = body.ljust(4080, b"\0")
    return magic + struct.pack("<II", version, zlib.crc32(body)) + body


def test_identity_is_frozen():
    body = (
        bytes(range(32))
        + bytes.fromhex("1032547698badcfe")
        + (256 << 20).to_bytes(8, "little")
        + (1_700_000_000).to_bytes(8, "little")
        + bytes([3, 0, 0, 0])
    )
    assert encode_identity(IDENTITY) == seal(b"MARUBLD1", 1, body)
    digest = hashlib.sha256(encode_identity(IDENTITY)).hexdigest()
    assert digest == "205352ee862ebaa8ff27e0267bbd8e8525290d94011cb52d4cd3fe7b336fed2f"


def test_header_is_frozen():
    body = (
        bytes(range(16))
        + bytes.fromhex("efcdab89674523010300000301000000")
        + (1_700_000_000_000_001).to_bytes(8, "little")
        + (256 << 20).to_bytes(8, "little")
        + bytes(range(32, 48))
        + b"a" * 16
        + b"b" * 16
        + b"c" * 16
    )
    assert encode_header(HEADER) == seal(b"MARUSEG1", 1, body)
    digest = hashlib.sha256(encode_header(HEADER)).hexdigest()
    assert digest == "8ed4aedb8d913491d18eb944e8f6f5b96f117902dfeaf67c7130761e66d52d89"


@pytest.mark.parametrize(("block", "decode"), BLOCKS)
def test_it_comes_back(block, decode):
    assert decode(block, where="here") in (IDENTITY, HEADER)
    assert decode(block + b"more of the file", where="here") in (IDENTITY, HEADER)


@pytest.mark.parametrize(("block", "decode"), BLOCKS)
def test_a_changed_byte_anywhere_is_noticed(block, decode):
    for at in range(4096):
        for flip in (1, 0x80, 0xFF):
            bad = bytearray(block)
            bad[at] ^= flip
            with pytest.raises((Corrupt, UnsupportedFormat), match="here"):
                decode(bytes(bad), where="here")


@pytest.mark.parametrize(("block", "decode"), BLOCKS)
def test_a_shorter_block_is_noticed(block, decode):
    for size in range(4096):
        with pytest.raises(Corrupt, match="here"):
            decode(block[:size], where="here")


@pytest.mark.parametrize(
    ("block", "decode", "raised", "said"),
    [(*BLOCKS[0], UnsupportedFormat, "Upgrade"), (*BLOCKS[1], Corrupt, "pool's is 1: damaged")],
)
def test_a_newer_version_is_refused_before_its_sum_is_asked(block, decode, raised, said):
    """A blade's is the pool's; in a segment's file, which an upgrade writes last, it is damage."""
    bad = bytearray(block)
    bad[8] = 2
    bad[12:16] = b"sum?"
    with pytest.raises(raised, match=said):
        decode(bytes(bad), where="here")


@pytest.mark.parametrize(("at", "value"), [(40, 0), (40, 9), (41, 1), (42, 1), (43, 255)])
def test_a_header_of_what_this_release_does_not_know(at: int, value: int):
    body = bytearray(encode_header(HEADER)[16:])
    body[at - 16] = value
    with pytest.raises(Corrupt, match="here"):
        decode_header(seal(b"MARUSEG1", 1, bytes(body)), where="here")


@pytest.mark.parametrize("segment", [0, 1, 0x0123456789ABCDEF, (1 << 64) - 1])
def test_names_of_logs(segment: int):
    assert len(log_name(segment)) == 20
    assert log_segment(log_name(segment)) == segment


@pytest.mark.parametrize(
    "name",
    ["", "blade", "0123456789abcdef", "0123456789ABCDEF.log", "123.log", "0123456789abcdef.log.new", "x" * 16 + ".log",
     "0123456789abcdef.1.0.strip", "+123456789abcdef.log"],
)  # fmt: skip
def test_names_of_anything_else(name: str):
    assert log_segment(name) is None
