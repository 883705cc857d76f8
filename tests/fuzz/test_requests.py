"""Heads of requests: mutated, oversized, ambiguous; signatures with anything in them changed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from maruhub.gateway.s3.operation import Operation
from tests.fuzz.mutation import mutated
from tests.fuzz.prober import COUNT, Prober
from tests.interop.rights_table import Stage, ask_for
from tests.s3_wire import Ask, Headers, exchange, presigned, request_bytes, signed, stamp

PUT = Ask("PUT", "/guarded/k", "", {"x-amz-meta-a": "b", "content-type": "text/plain"}, b"changed")
STAGE = Stage("guarded", "0123456789abcdef")


def test_mutated_requests_of_every_operation(prober: Prober):
    operations = [o for o in Operation if not o.api_name.startswith(("Delete", "Abort"))]

    def raws() -> Iterator[bytes]:
        for number in range(3 * COUNT):
            operation = operations[number % len(operations)]
            # Signed or not: what is signed rightly would be allowed to change what it names.
            ask = ask_for(operation, STAGE)
            ask = replace(ask, path=ask.path.replace("guarded", "fuzzed"))
            yield mutated(prober.rng, prober.raw(ask))

    prober.all_answered(raws())


def test_random_bytes(prober: Prober):
    prober.all_answered(prober.rng.randbytes(prober.rng.randrange(1, 3000)) for _ in range(COUNT // 3))


def test_random_words_after_a_request_line(prober: Prober):
    words = [b"GET /", b"PUT /guarded/k", b" HTTP/1.1\r\n", b"Host: a\r\n", b"\r\n", b"Content-Length: 5\r\n"]
    words += [b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"5\r\nabcde\r\n", b"0\r\n\r\n"]
    words += [b"Range: bytes=0-\r\n", b"?uploads", b"?acl&tagging", b"x-amz-copy-source: /a\r\n", b"\0"]
    rng = prober.rng
    prober.all_answered(b"".join(rng.choices(words, k=rng.randint(2, 12))) for _ in range(COUNT // 3))


# ------------------------------------------------------------ headers


def _with(prober: Prober, *extra: tuple[str, str]) -> bytes:
    return request_bytes(PUT, [*prober.signed(PUT), *extra])


def _huge_headers(prober: Prober) -> Iterator[tuple[str, bytes]]:
    yield "a header of 1 MiB", _with(prober, ("x-long", "y" * (1 << 20)))
    yield "a header of 20 KiB", _with(prober, ("x-long", "y" * 20_000))
    yield "a name of 1 MiB", _with(prober, ("x-" + "y" * (1 << 20), "z"))
    yield "10,000 headers", _with(prober, *((f"x-{n}", "y") for n in range(10_000)))
    yield "200 headers", _with(prober, *((f"x-{n}", "y") for n in range(200)))
    yield "a target of 1 MiB", b"PUT /guarded/" + b"k" * (1 << 20) + b" HTTP/1.1\r\nhost: a\r\n\r\n"
    yield "a query of 300 parameters", prober.raw(replace(PUT, query="&".join(f"a{n}=b" for n in range(300))))


def test_huge_headers(prober: Prober):
    prober.all_refused(_huge_headers(prober))


def _ambiguous(prober: Prober) -> Iterator[tuple[str, bytes]]:
    """What two servers could read as two different requests."""
    head = [(name, value) for name, value in prober.signed(PUT) if name != "content-length"]
    lengths: list[Headers] = [
        [("Content-Length", "7"), ("Transfer-Encoding", "chunked")],
        [("Transfer-Encoding", "chunked"), ("Content-Length", "7")],
        [("Content-Length", "7"), ("Content-Length", "8")],
        [("Content-Length", "7, 8")],
        [("Content-Length", "+7")],
        [("Content-Length", "0x7")],
        [("Content-Length", "-7")],
        [("Content-Length", "7_0")],
        [("Content-Length", "99999999999999999999999")],
        [("Transfer-Encoding", "chunked, identity")],
        [("Transfer-Encoding", "xchunked")],
        [("Transfer-Encoding", "identity")],
        [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "identity")],
        [("Transfer-Encoding ", "chunked")],
        [("Content-Length ", "7")],
    ]
    for more in lengths:
        yield repr(more), request_bytes(PUT, [*head, *more])
    chunked = [*head, ("Transfer-Encoding", "chunked")]
    for body in (
        b"zz\r\nchanged\r\n0\r\n\r\n",
        b"7\nchanged\n0\n\n",
        b"-7\r\nchanged\r\n0\r\n\r\n",
        b"7;" + b"a" * 99999,
    ):
        yield f"chunks {body[:20]!r}", request_bytes(replace(PUT, body=body), chunked)
    for twice in ("authorization", "x-amz-date", "x-amz-content-sha256", "host"):
        value = dict(head)[twice]
        yield f"{twice} twice", request_bytes(PUT, [*head, (twice, value + "x")])
    yield "a folded header", request_bytes(PUT, head).replace(b"text/plain", b"text/plain\r\n x")
    yield (
        "a signed header after a bare line feed",
        request_bytes(PUT, head).replace(b"text/plain", b"text/plain\nx-amz-meta-c: d"),
    )
    yield "a NUL in a header", request_bytes(PUT, head).replace(b"text/plain", b"text\0plain")
    yield "a space before a colon", request_bytes(PUT, head).replace(b"content-type:", b"content-type :")


def test_ambiguous_framing(prober: Prober):
    prober.all_refused(_ambiguous(prober))


def test_a_second_request_in_a_body_is_never_run(prober: Prober):
    inner = prober.raw(replace(PUT, path="/guarded/smuggled"))
    before = prober.rows()
    for more in (
        [("Content-Length", str(len(inner))), ("Transfer-Encoding", "chunked")],
        [("Transfer-Encoding", "chunked"), ("Content-Length", "5")],
        [("Content-Length", str(len(inner)))],
    ):
        outer = Ask("POST", "/guarded", "delete", {}, b"0\r\n\r\n" + inner)
        prober.send(request_bytes(outer, [("host", prober.host), *more]))
        prober.send(request_bytes(replace(outer, body=inner), [("host", prober.host), *more]))
    assert prober.rows() == before
    prober.check_well()


# ------------------------------------------------------------ signatures


def _field(authorization: str, name: str) -> str:
    found = re.search(rf"{name}=([^,]+)", authorization)
    assert found is not None
    return found[1]


def _altered(prober: Prober, text: str) -> str:
    rng = prober.rng
    at = rng.randrange(len(text))
    other = chr(rng.choice([c for c in range(0x21, 0x7F) if c not in (ord(text[at]), ord("#"), ord("&"))]))
    return rng.choice(
        (text[:at] + other + text[at + 1 :], text[:at], text + other, text[:at] + text[at + 1 :])
    )


def _signature_mutants(prober: Prober) -> Iterator[tuple[str, bytes]]:
    rng = prober.rng
    headers = dict(prober.signed(PUT))
    said = headers["authorization"]
    for name in ("Credential", "SignedHeaders", "Signature"):
        value = _field(said, name)
        for _ in range(COUNT // 10):
            changed = said.replace(value, _altered(prober, value))
            yield f"{name} altered", request_bytes(PUT, [*{**headers, "authorization": changed}.items()])
        for changed in (
            said.replace(f"{name}={value}", ""),
            said.replace(f"{name}={value}", f"{name}="),
            f"{said},{name}={value}",
            said.replace(value, value.upper() if name == "Signature" else value[::-1]),
        ):
            yield (
                f"{name} lost or doubled",
                request_bytes(PUT, [*{**headers, "authorization": changed}.items()]),
            )
    for name in headers:
        if name != "authorization":
            kept = [(n, v) for n, v in headers.items() if n != name]
            yield f"{name} dropped", request_bytes(PUT, kept)
            yield f"{name} changed", request_bytes(PUT, [*kept, (name, headers[name] + "x")])
    yield "unsigned x-amz", request_bytes(PUT, [*headers.items(), ("x-amz-meta-more", "c")])
    for other in (
        replace(PUT, path="/guarded/other"),
        replace(PUT, method="POST"),
        replace(PUT, query="tagging"),
        replace(PUT, body=b"another"),
        replace(PUT, body=b""),
    ):
        yield f"replayed as {other}", request_bytes(other, [*headers.items()])
    for late_s in (-16 * 60, 16 * 60, -86400, 86400 * 365 * 10, -(86400 * 365 * 40)):
        late, _ = signed(PUT, prober.key, prober.host, now=time.time() + late_s)
        yield f"late by {late_s}", request_bytes(PUT, late)
    for date in (
        "20250101T000000",
        "x",
        "",
        "99999999T999999Z",
        "20250230T000000Z",
        "２０２５０１０１T000000Z",
    ):
        changed_date = replace(PUT, headers={**PUT.headers, "x-amz-date": date})
        yield f"date {date!r}", request_bytes(changed_date, prober.signed(changed_date))
    for algorithm in ("AWS4-HMAC-SHA1", "AWS4-ECDSA-P256-SHA256x", "", "Bearer", "Basic"):
        changed = said.replace("AWS4-HMAC-SHA256", algorithm)
        yield f"algorithm {algorithm}", request_bytes(PUT, [*{**headers, "authorization": changed}.items()])
    for payload in ("", "x", "0" * 63, "0" * 64, "STREAMING-UNSIGNED-PAYLOAD", "UNSIGNED-PAYLOAD-TRAILER"):
        yield f"sum {payload!r}", prober.raw(PUT, payload=payload)
    for _ in range(COUNT // 10):
        yield (
            "anything",
            request_bytes(
                PUT,
                [
                    *{
                        **headers,
                        "authorization": rng.randbytes(60).decode("latin-1").translate(_PRINTED),
                    }.items()
                ],
            ),
        )


_PRINTED = dict.fromkeys([*range(32), *range(127, 256)], ".")


def test_no_changed_signature_is_taken(prober: Prober):
    prober.all_refused(_signature_mutants(prober))


def _link_mutants(prober: Prober) -> Iterator[tuple[str, bytes]]:
    host = [("host", prober.host)]
    good = presigned(Ask("PUT", "/guarded/k", body=b"changed"), prober.key, prober.host, now=time.time())
    pieces = good.query.split("&")
    for at, piece in enumerate(pieces):
        name, _, value = piece.partition("=")
        others = pieces[:at] + pieces[at + 1 :]
        for changed in (
            others,
            [*others, name],
            [*others, f"{name}="],
            [*pieces, piece],
            *([*others, f"{name}={_altered(prober, value)}"] for _ in range(COUNT // 20)),
        ):
            query = "&".join(changed)
            if sorted(changed) != sorted(pieces):
                yield f"{name} changed", request_bytes(replace(good, query=query), host)
    for late_s in (-61, 16 * 60, -86400 * 8):
        late = presigned(
            Ask("PUT", "/guarded/k", body=b"x"), prober.key, prober.host, now=time.time() + late_s
        )
        yield "late", request_bytes(late, host)
    for expires in (0, -1, 604801, 10**9):
        odd = presigned(
            Ask("PUT", "/guarded/k", body=b"x"), prober.key, prober.host, now=time.time(), expires=expires
        )
        yield f"expires {expires}", request_bytes(odd, host)
    both = [*prober.signed(PUT)]
    yield "signed twice over", request_bytes(replace(PUT, query=good.query), both)
    yield "another method", request_bytes(replace(good, method="DELETE", body=b""), host)
    yield (
        "a date of another day",
        request_bytes(replace(good, query=good.query.replace(stamp(time.time())[:8], "20200101", 1)), host),
    )


def test_no_changed_link_is_taken(prober: Prober):
    prober.all_refused(_link_mutants(prober))


@pytest.mark.parametrize("known", [True, False])
def test_guesses_are_held_up_and_the_owner_is_not(prober: Prober, known: bool):
    """From one address; the owner works from another at the same time."""
    access_key = prober.key.access_key if known else "AKNOBODYHASTHISKEYXX"
    guess = replace(prober.key, access_key=access_key, secret_key="y" * 40)
    ask = Ask("GET", "/guarded/k")
    codes = []
    for _ in range(30):
        raw = request_bytes(ask, signed(ask, guess, prober.host)[0])
        told = exchange(prober.server.port, raw, source=f"127.9.9.{1 + known}")
        assert told is not None
        codes.append(told.code)
    wanted = "SignatureDoesNotMatch" if known else "InvalidAccessKeyId"
    assert codes == [wanted] * 20 + ["SlowDown"] * 10
    prober.check_well()
