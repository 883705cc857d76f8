"""Keys of any bytes, the same through every door; ranges that no reader would ask for."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from urllib.parse import quote, unquote

from maruhub import connect
from tests.fuzz.prober import COUNT, Prober
from tests.s3_wire import Ask

LONGEST = "k" * 1024


def _keys(prober: Prober) -> Iterator[str]:
    yield from (f"byte-{chr(c)}-here" for c in range(0x100))
    yield from ("..", ".", "../..", "a/../b", "./a", "a//b", "/", "//", "a/", "/a", "a", "a/b", "a/b/c")
    yield from (
        unicodedata.normalize(form, "\u00e9\u1112\u1161\u11ab/\ufb01") for form in ("NFC", "NFD", "NFKC")
    )
    yield from (
        LONGEST,
        "é" * 512,
        "\U0001f600",
        "\ufffe",
        "a%2Fb",
        "a+b c",
        "%",
        "%00",
        "?acl",
        "#x",
        "&<>\"'",
    )
    alphabet = [chr(c) for c in (*range(1, 0x80), 0xE9, 0x3042, 0xD55C, 0x1F600, 0x2028, 0xFEFF)] + ["/"] * 30
    for _ in range(COUNT // 3):
        yield "".join(prober.rng.choices(alphabet, k=prober.rng.randint(1, 60)))


def test_keys_of_any_bytes_are_the_same_through_every_door(prober: Prober):
    wire = prober.good()
    assert wire.ask("PUT", "/keys").status == 200
    keys = list(dict.fromkeys(_keys(prober)))
    for number, key in enumerate(keys):
        told = wire.ask("PUT", f"/keys/{key}", body=str(number).encode())
        assert told.status == 200, (key, told)
    for number, key in enumerate(keys):
        assert wire.ask("GET", f"/keys/{key}").body == str(number).encode(), key
    with connect(prober.server.hub) as hub:
        bucket = hub.bucket("keys")
        assert {key: bytes(bucket[key]) for key in bucket} == {
            key: str(number).encode() for number, key in enumerate(keys)
        }
    listed: list[str] = []
    query = "list-type=2&encoding-type=url&max-keys=100"
    after = ""
    while True:
        page = wire.ask("GET", "/keys", query + (f"&start-after={quote(after, safe='')}" if after else ""))
        found = [piece.partition(b"</Key>")[0].decode() for piece in page.body.split(b"<Key>")[1:]]
        if not found:
            break
        listed += found
        after = unquote(found[-1])
    assert [unquote(name) for name in listed] == sorted(keys, key=str.encode)
    prober.check_well()


def test_keys_that_no_object_can_have(prober: Prober):
    targets = ["/guarded/" + "k" * 1025, "/guarded/" + quote("é" * 513), "/guarded/%ff", "/guarded/%c0%af"]
    targets += [f"/guarded/%{byte:02x}" for byte in range(0x80, 0x100)]
    targets += ["/guarded/%ed%a0%80", "/guarded/%f5%80%80%80"]
    for method in ("PUT", "GET", "DELETE", "POST"):
        raws = [
            f"{method} {target} HTTP/1.1\r\nhost: {prober.host}\r\ncontent-length: 0\r\n\r\n".encode()
            for target in targets
        ]
        prober.all_refused(("", raw) for raw in raws)


def _ranges(prober: Prober, size: int) -> Iterator[str]:
    rng = prober.rng
    yield "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(1000))
    yield "bytes=" + ",".join("0-" for _ in range(1000))
    yield "bytes=" + ",".join("-1" for _ in range(1000))
    edges = (
        "",
        "0",
        "1",
        str(size - 1),
        str(size),
        str(size + 1),
        "9" * 30,
        "00000000000000000001",
        "-1",
        "x",
        "1.5",
    )
    yield from (f"bytes={first}-{last}" for first in edges for last in edges)
    yield from (
        "bytes",
        "bytes=",
        "bytes=-",
        "=",
        "-",
        "items=0-1",
        "bytes 0-1",
        "bytes=0-1;",
        "BYTES=0-1",
    )
    for _ in range(COUNT):
        yield "bytes=" + ",".join(
            f"{rng.choice(edges)}-{rng.choice(edges)}" for _ in range(rng.choice((1, 1, 1, 2, 9)))
        )


def test_ranges_that_no_reader_would_ask_for(prober: Prober):
    wire, data = prober.good(), prober.rng.randbytes(5000)
    assert wire.ask("PUT", "/open/ranged", body=data).status == 200
    for text in _ranges(prober, len(data)):
        told = wire.send(Ask("GET", "/open/ranged", "", {"range": text}))
        assert told.status in (200, 206, 416), (text, told)
        assert len(told.body) <= 2 * len(data)
        if told.status == 206:
            span, _, total = told.headers["content-range"].removeprefix("bytes ").partition("/")
            first, last = map(int, span.split("-"))
            assert (told.body, int(total)) == (data[first : last + 1], len(data)), text
        elif told.status == 200:
            assert told.body == data
        copy = {"x-amz-copy-source": "/open/ranged", "x-amz-copy-source-range": text}
        copied = wire.send(Ask("PUT", "/open/copy", "partNumber=1&uploadId=0123456789abcdef", copy))
        assert 400 <= copied.status < 500, (text, copied)
    prober.check_well()
