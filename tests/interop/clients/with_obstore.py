"""An everyday round with obstore, Rust's object_store in Python."""

from __future__ import annotations

import datetime
from pathlib import Path

import everyday
import obstore
from everyday import BUCKET, COPIED, CORPUS, FIRST, LARGE, LAST, PART_BYTES, RANGES, SMALL, data, same
from obstore.store import S3Store


def connect() -> S3Store:
    # It makes no buckets: there is one. Without TLS it wants to be told that this is meant.
    options = {"allow_http": True}
    if everyday.CERTIFICATE:
        options = {"root_certificate": Path(everyday.CERTIFICATE).read_bytes()}
    return S3Store(
        BUCKET,
        endpoint=everyday.ENDPOINT,
        region=everyday.REGION,
        virtual_hosted_style_request=False,
        client_options=options,
    )


def upload(store: S3Store) -> None:
    everyday.each(lambda key: obstore.put(store, key, data(key)), SMALL)
    obstore.put(store, LARGE, CORPUS / LARGE, chunk_size=PART_BYTES)
    try:
        obstore.put(store, FIRST, b"other", mode="create")
    except obstore.exceptions.AlreadyExistsError:
        pass
    else:
        raise SystemExit("an object was overwritten that should only have been created")


def reads(store: S3Store) -> None:
    found = sorted(entry["path"] for page in obstore.list(store, chunk_size=50) for entry in page)
    same(found, [LARGE, *SMALL], "listing")
    answer = obstore.list_with_delimiter(store)
    same((answer["common_prefixes"], len(answer["objects"])), (["small"], 1), "folders")
    everyday.each(lambda key: same(bytes(obstore.get(store, key).bytes()), data(key), key), SMALL)
    starts, ends = zip(*RANGES, strict=True)
    got = obstore.get_ranges(store, LARGE, starts=starts, ends=ends)
    same([bytes(blob) for blob in got], [data(LARGE)[start:end] for start, end in RANGES], "ranges")


def changes(store: S3Store) -> None:
    obstore.copy(store, COPIED, "copy/small")
    obstore.copy(store, LARGE, "copy/large")
    obstore.delete(store, FIRST)
    obstore.delete(store, LAST)
    hour = datetime.timedelta(hours=1)
    same(everyday.link(obstore.sign(store, "GET", COPIED, hour)), data(COPIED), "link")
    everyday.link(obstore.sign(store, "PUT", "put/s3v4", hour), "PUT", data(COPIED))


def main() -> None:
    store = connect()
    for step in (upload, reads, changes):
        step(store)


if __name__ == "__main__":
    main()
