"""Bodies: chunks whose sizes lie, cuts at every byte, wrong sums of each kind, documents that attack."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from maruhub.gateway.s3.checksums import KINDS, new_sum
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import Operation
from maruhub.gateway.s3.signatures.chunks import Chunks
from maruhub.wire.signing import Signer, signature_of
from tests.fuzz.prober import COUNT, Prober
from tests.interop.rights_table import Stage, ask_for
from tests.s3_wire import Ask, request_bytes, signed

EMPTY = hashlib.sha256(b"").hexdigest()
DATA = bytes(range(256)) * 3
SIGNED, TRAILING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def checksum(kind: str, data: bytes) -> str:
    total = new_sum(kind)
    total.update(memoryview(data))
    return base64.b64encode(total.digest()).decode()


def framed(signer: Signer | None, trailer: str = "", size: int = 300) -> bytes:
    """``DATA`` as an SDK would frame it, in chunks of some size."""
    previous, out = signer.signature if signer else "", b""
    for at in [*range(0, len(DATA), size), len(DATA)]:
        piece = DATA[at : at + size]
        out += f"{len(piece):x}".encode()
        if signer:
            text = f"AWS4-HMAC-SHA256-PAYLOAD\n{signer.timestamp}\n{signer.scope}\n{previous}\n{EMPTY}\n"
            previous = signature_of(signer.key, text + hashlib.sha256(piece).hexdigest())
            out += f";chunk-signature={previous}".encode()
        out += b"\r\n" + piece + (b"\r\n" if piece else b"")
    if trailer:
        out += f"{trailer}\r\n".encode()
        if signer:
            digest = hashlib.sha256(f"{trailer}\n".encode()).hexdigest()
            text = f"AWS4-HMAC-SHA256-TRAILER\n{signer.timestamp}\n{signer.scope}\n{previous}\n{digest}"
            out += f"x-amz-trailer-signature:{signature_of(signer.key, text)}\r\n".encode()
    return out + b"\r\n"


def chunked(prober: Prober, mode: str, *, trailer: str = "", promised: int = len(DATA)) -> tuple[Ask, bytes]:
    """A put in chunks: the request without its body, and the body."""
    headers = {"x-amz-decoded-content-length": str(promised), "content-encoding": "aws-chunked"}
    if trailer:
        headers["x-amz-trailer"] = trailer.partition(":")[0]
    ask = Ask("PUT", "/guarded/chunked", "", headers)
    names, signer = signed(ask, prober.key, prober.host, payload=mode)
    body = framed(None if mode == UNSIGNED else signer, trailer)
    return replace(ask, headers=dict(names)), body


def raw(ask: Ask, body: bytes) -> bytes:
    return request_bytes(replace(ask, body=body), [*ask.headers.items()])


MODES = {
    SIGNED: "",
    TRAILING: f"x-amz-checksum-crc32c:{checksum('crc32c', DATA)}",
    UNSIGNED: f"x-amz-checksum-crc64nvme:{checksum('crc64nvme', DATA)}",
}


@pytest.mark.parametrize("mode", MODES)
def test_chunks_that_are_right_are_taken(prober: Prober, mode: str):
    """Else what follows would prove nothing."""
    told = prober.send(raw(*chunked(prober, mode, trailer=MODES[mode])))
    assert told is not None
    assert told.status == 200
    good = prober.good()
    assert good.ask("GET", "/guarded/chunked").body == DATA
    assert good.ask("DELETE", "/guarded/chunked").status == 204


@pytest.mark.parametrize("mode", MODES)
def test_a_body_cut_at_every_byte(prober: Prober, mode: str):
    """Through the protocol at each byte, through the server at some."""
    ask, body = chunked(prober, mode, trailer=MODES[mode])
    signer = signed(ask, prober.key, prober.host, payload=mode)[1] if mode != UNSIGNED else None
    if signer is not None:
        body = framed(signer, MODES[mode])

    def decoder() -> Chunks:
        return Chunks(len(DATA), signer=signer, with_trailer=bool(MODES[mode]))

    for cut in range(len(body)):
        chunks = decoder()
        assert DATA.startswith(b"".join(map(bytes, chunks.feed(body[:cut]))))
        with pytest.raises(S3Failure):
            chunks.finish()
        # The same bytes in two pieces are the same body.
        chunks = decoder()
        assert b"".join([*map(bytes, chunks.feed(body[:cut])), *map(bytes, chunks.feed(body[cut:]))]) == DATA
        chunks.finish()
    ask, body = chunked(prober, mode, trailer=MODES[mode])
    cuts = {prober.rng.randrange(len(body)) for _ in range(COUNT // 6)} | {0, 1, len(body) - 2, len(body) - 1}
    prober.all_refused((f"cut at {cut}", raw(ask, body[:cut])) for cut in sorted(cuts))


def test_a_connection_cut_in_mid_body_stores_nothing(prober: Prober):
    before = prober.rows()
    for size in (1000, 3 << 20):
        ask = Ask("PUT", "/guarded/cut", "", {"content-length": str(size)})
        head = request_bytes(ask, signed(ask, prober.key, prober.host, payload="UNSIGNED-PAYLOAD")[0])
        for cut in (0, 1, size // 2, size - 1):
            told = prober.send(head + bytes(cut), patience_s=0.05)
            assert told is None or 400 <= told.status < 500
    assert prober.rows() == before
    prober.check_well()


def _lying(prober: Prober) -> Iterator[tuple[str, bytes]]:
    for mode, trailer in MODES.items():
        ask, body = chunked(prober, mode, trailer=trailer)
        yield "an extra byte", raw(ask, body + b"x")
        yield "twice", raw(ask, body + body)
        yield "no last chunk", raw(ask, body.replace(b"\r\n0", b"\r\n", 1))
        for old, new in ((b"12c", b"12b"), (b"12c", b"12d"), (b"12c", b"0"), (b"12c", b"ffffffff")):
            yield f"{old!r} as {new!r}", raw(ask, body.replace(old, new, 1))
        for new in (
            b"-12c",
            b"+12c",
            b"0x12c",
            b" 12c",
            b"012c;",
            b"fffffffffffffffff",
            b"",
            b"\0",
            b"12c;x=y",
        ):
            yield f"a size of {new!r}", raw(ask, body.replace(b"12c", new, 1))
        yield "bare line feeds", raw(ask, body.replace(b"\r\n", b"\n"))
        for promised in (0, 1, len(DATA) - 1, len(DATA) + 1, 10**18):
            yield f"{promised} promised", raw(*chunked(prober, mode, trailer=trailer, promised=promised))
        for _ in range(COUNT // 6):
            at = prober.rng.randrange(len(body))
            other = bytes([body[at] ^ (1 << prober.rng.randrange(8))])
            if (body[:at] + other).lower() != body[: at + 1].lower():
                yield f"byte {at} flipped", raw(ask, body[:at] + other + body[at + 1 :])
    yield (
        "a trailer not promised",
        raw(chunked(prober, TRAILING)[0], chunked(prober, TRAILING, trailer=MODES[TRAILING])[1]),
    )
    yield (
        "a trailer that doesn't come",
        raw(chunked(prober, UNSIGNED, trailer=MODES[UNSIGNED])[0], framed(None)),
    )
    for wrong in ("AAAA", "", "AAAAAA==", "====", "x" * 5000):
        trailer = f"x-amz-checksum-crc32c:{wrong}"
        yield f"a trailer of {wrong[:9]!r}", raw(*chunked(prober, UNSIGNED, trailer=trailer))
    many = "\r\n".join(f"x-amz-meta-{n}:a" for n in range(1000))
    yield "1,000 trailers", raw(*chunked(prober, UNSIGNED, trailer=f"{MODES[UNSIGNED]}\r\n{many}"))


def test_chunks_that_lie(prober: Prober):
    prober.all_refused(_lying(prober))


# ------------------------------------------------------------ sums


def _wrong_sums(prober: Prober) -> Iterator[tuple[str, bytes]]:
    rng = prober.rng
    for kind in (*KINDS, "md5"):
        name = "content-md5" if kind == "md5" else f"x-amz-checksum-{kind}"
        right = checksum(kind, DATA)
        wrong = [
            checksum(kind, DATA[:-1]),
            right[:-1],
            right + "A",
            right.swapcase(),
            "",
            "=",
            "x" * 9999,
            "é",
        ]
        wrong += [
            base64.b64encode(rng.randbytes(len(base64.b64decode(right)))).decode() for _ in range(COUNT // 30)
        ]
        for value in wrong:
            if value != right:
                ask = Ask("PUT", "/guarded/k", "", {name: value}, DATA)
                yield f"{name}: {value[:50]}", prober.raw(ask)
        for other in KINDS:
            if other != kind and kind != "md5":
                both = {name: right, f"x-amz-checksum-{other}": checksum(other, DATA)}
                yield "two kinds", prober.raw(Ask("PUT", "/guarded/k", "", both, DATA))
    yield "an unknown kind", prober.raw(Ask("PUT", "/guarded/k", "", {"x-amz-checksum-crc16": "AAA="}, DATA))
    said = {"x-amz-sdk-checksum-algorithm": "SHA256"}
    yield "a kind without a sum", prober.raw(Ask("PUT", "/guarded/k", "", said, DATA))
    yield "a wrong SHA-256", prober.raw(Ask("PUT", "/guarded/k", "", {}, DATA), payload="0" * 64)


def test_wrong_sums_of_each_kind(prober: Prober):
    prober.all_refused(_wrong_sums(prober))


# ------------------------------------------------------------ documents

BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">%s]><a>&z;</a>""" % b"".join(
    b'<!ENTITY %c "%s">' % (c, b"&%c;" % (c - 1) * 10) for c in range(98, 123)
)
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
PARAMETER = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY %% x SYSTEM "http://127.0.0.1:1/">%%x;]><a/>'


def _attacks(good: bytes) -> Iterator[tuple[str, bytes]]:
    root = good[1 : good.index(b">")] if good.startswith(b"<") else b"a"
    yield "a bomb", BOMB.replace(b"<a>", b"<" + root + b">").replace(b"</a>", b"</" + root + b">")
    yield "an entity of a file", OUTSIDE
    yield "an entity of an address", PARAMETER
    yield "a DTD", b"<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/'>" + good
    yield "10^5 deep", b"<" + root + b">" + b"<a>" * 100_000
    yield "10^5 deep and closed", b"<a>" * 100_000 + b"</a>" * 100_000
    yield "10^6 elements", b"<" + root + b">" + b"<a/>" * 1_000_000 + b"</" + root + b">"
    yield "10^5 attributes", b"<" + root + b" " + b" ".join(b"a%d='b'" % n for n in range(100_000)) + b"/>"
    yield (
        "10^4 namespaces",
        b"<" + root + b" " + b" ".join(b"xmlns:a%d='b'" % n for n in range(10_000)) + b"><a/>",
    )
    yield "a text of 7 MiB", b"<" + root + b">" + b"x" * (7 << 20) + b"</" + root + b">"
    yield "UTF-16", b"\xff\xfe" + "".join(chr(c) for c in good).encode("utf-16-le")
    yield "another charset", b'<?xml version="1.0" encoding="utf-7"?>' + good
    yield "a charset that nobody knows", b'<?xml version="1.0" encoding="x-user-defined"?>' + good
    yield "no UTF-8", good[:-1] + b"\xff\xfe>"
    yield "a NUL", good[:5] + b"\0" + good[5:]
    yield "half of it", good[: len(good) // 2]
    yield "an instruction", b"<?php x ?>"
    yield "nothing but space", b"   \n"
    yield "JSON", b'{"a": ' * 1000
    yield "10^5 brackets", b"[" * 100_000


DOCUMENTS = [
    o for o in Operation if ask_for(o, Stage("guarded", "none")).body and o is not Operation.POST_OBJECT
]
DOCUMENTS = [o for o in DOCUMENTS if o not in (Operation.PUT_OBJECT, Operation.UPLOAD_PART)]


@pytest.mark.parametrize("operation", DOCUMENTS, ids=lambda operation: operation.api_name)
def test_documents_that_attack(prober: Prober, operation: Operation):
    ask = ask_for(operation, Stage("guarded", "0123456789abcdef"))
    if operation is Operation.PUT_BUCKET_NOTIFICATION_CONFIGURATION:
        ask = replace(ask, body=b"<NotificationConfiguration></NotificationConfiguration>")
    prober.all_refused((why, prober.raw(replace(ask, body=body))) for why, body in _attacks(ask.body))


def test_a_document_of_100_mb_is_refused_before_it_comes(prober: Prober):
    ask = Ask("PUT", "/guarded", "policy", {"content-length": "104857600"})
    head = request_bytes(ask, signed(ask, prober.key, prober.host, payload="UNSIGNED-PAYLOAD")[0])
    told = prober.send(head)
    assert told is not None
    assert told.code == "MaxMessageLengthExceeded"


def test_attacks_cost_no_more_than_a_document_of_their_size(prober: Prober):
    """A ratio within one run: a bomb is refused in less time than 10,000 honest parts take."""
    wire = prober.good()
    parts = b"".join(
        b"<Part><PartNumber>%d</PartNumber><ETag>9dd4e461268c8034f5c8564e155c67a6</ETag></Part>" % n
        for n in range(1, 10_001)
    )
    honest = b"<CompleteMultipartUpload>" + parts + b"</CompleteMultipartUpload>"

    def seconds(body: bytes) -> float:
        started = time.perf_counter()
        wire.ask("POST", "/guarded/k", "uploadId=0123456789abcdef", body=body)
        return time.perf_counter() - started

    measure = min(seconds(honest) for _ in range(3))
    for why, body in _attacks(b"<CompleteMultipartUpload></CompleteMultipartUpload>"):
        if len(body) <= len(honest):
            assert min(seconds(body) for _ in range(3)) < 10 * measure, why
