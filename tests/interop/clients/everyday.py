"""What a client's everyday round is made of, for every program in this folder.

Needs nothing but Python: each program runs where only its client is installed. Objects are files of
a folder, so that programs of the command line do the same round. What must be in the bucket at the
end of it stands in ``tests/interop/test_clients.py``.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

ENDPOINT = os.environ["ROUND_ENDPOINT"]
BUCKET = os.environ["ROUND_BUCKET"]
CORPUS = Path(os.environ["ROUND_CORPUS"])
ACCESS_KEY = os.environ["AWS_ACCESS_KEY_ID"]
SECRET_KEY = os.environ["AWS_SECRET_ACCESS_KEY"]
REGION = os.environ["AWS_REGION"]
CERTIFICATE = os.environ.get("ROUND_CERTIFICATE", "")
"""The authority to trust, in PEM; empty without TLS."""

BASE = os.environ.get("ROUND_BASE", "")
"""The name below which a bucket is a host; empty where buckets are in paths."""

LARGE = "large.bin"
PART_BYTES = 5 << 20
PAGE = 300
"""Keys a page of a listing, where the client lets one say."""

SMALL = sorted(str(path.relative_to(CORPUS)) for path in (CORPUS / "small").iterdir())
FIRST, COPIED = SMALL[0], SMALL[7]
"""Deleted alone, and copied."""
LAST = SMALL[-len(SMALL) // 10 :]
"""Deleted many at a time."""
ENDING = {key: key for key in (LARGE, *SMALL[1 : -len(LAST)])} | {"copy/large": LARGE, "copy/small": COPIED}
"""What a round ends with, and the file that each object is."""
RANGES = ((0, 1), (0, 100_000), (PART_BYTES - 10, PART_BYTES + 10), (7_000_001, 9_000_000))
"""Ranges of the large object: first byte, and the one behind the last."""


def resolve_here() -> None:
    """Has the hosts of buckets found on this machine, which no name service knows."""
    found = socket.getaddrinfo

    def lookup(host, *rest, **more):
        name = host.decode() if isinstance(host, bytes) else host
        return found("127.0.0.1" if name and name.endswith(BASE) else host, *rest, **more)

    socket.getaddrinfo = lookup


if BASE:
    resolve_here()


def data(key: str) -> bytes:
    """The bytes of an object."""
    return (CORPUS / key).read_bytes()


def each(work: Callable[[str], T], keys: Iterable[str]) -> list[T]:
    """Does something with each key, eight at a time."""
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(work, keys))


def same(got: object, wanted: object, what: str) -> None:
    """Ends the program unless both are equal."""
    if got != wanted:
        raise SystemExit(f"{what}: got {str(got)[:500]}, wanted {str(wanted)[:500]}")


def link(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> bytes:
    """Follows a presigned link as a browser or curl would; the body of the answer."""
    address = urlsplit(url)
    connection: http.client.HTTPConnection
    if address.scheme == "https":
        context = ssl.create_default_context(cafile=CERTIFICATE)
        connection = http.client.HTTPSConnection(address.netloc, timeout=60, context=context)
    else:
        connection = http.client.HTTPConnection(address.netloc, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, f"{address.path}?{address.query}".rstrip("?"), body, named)
    answer = connection.getresponse()
    got = answer.read()
    connection.close()
    same(answer.status // 100, 2, f"{method} {url}: {answer.status} {got[:500]!r}")
    return got


def form(url: str, fields: dict[str, str], file: bytes) -> None:
    """Sends a form as a browser does."""
    boundary = "----everyday0123456789"
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    body = head.encode() + file + f"\r\n--{boundary}--\r\n".encode()
    link(url, "POST", body, content_type=f"multipart/form-data; boundary={boundary}")
