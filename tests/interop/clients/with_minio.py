"""An everyday round with MinIO's Python client."""

from __future__ import annotations

import datetime
import io
from urllib.parse import urlsplit

import everyday
import urllib3
from everyday import BUCKET, COPIED, CORPUS, FIRST, LARGE, LAST, PART_BYTES, RANGES, SMALL, data, same
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource, Tags
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject


def connect() -> Minio:
    address = urlsplit(everyday.ENDPOINT)
    pool = urllib3.PoolManager(ca_certs=everyday.CERTIFICATE or None)
    client = Minio(
        address.netloc,
        access_key=everyday.ACCESS_KEY,
        secret_key=everyday.SECRET_KEY,
        secure=address.scheme == "https",
        http_client=pool,
    )
    if everyday.BASE:
        client.enable_virtual_style_endpoint()
    return client


def upload(s3: Minio) -> None:
    s3.make_bucket(BUCKET)
    same(s3.bucket_exists(BUCKET), True, "bucket")
    everyday.each(lambda key: s3.put_object(BUCKET, key, io.BytesIO(data(key)), len(data(key))), SMALL)
    s3.fput_object(BUCKET, LARGE, str(CORPUS / LARGE), part_size=PART_BYTES, metadata={"by": "zoe"})
    same(s3.stat_object(BUCKET, LARGE).metadata["x-amz-meta-by"], "zoe", "metadata")


def reads(s3: Minio) -> None:
    found = [entry.object_name for entry in s3.list_objects(BUCKET, recursive=True)]
    same(found, [LARGE, *SMALL], "listing")
    folders = [(entry.object_name, entry.is_dir) for entry in s3.list_objects(BUCKET)]
    same(sorted(folders), [(LARGE, False), ("small/", True)], "folders")

    def whole(key: str) -> None:
        with s3.get_object(BUCKET, key) as answer:
            same(answer.read(), data(key), key)

    everyday.each(whole, SMALL)
    for start, end in RANGES:
        with s3.get_object(BUCKET, LARGE, offset=start, length=end - start) as answer:
            same(answer.read(), data(LARGE)[start:end], f"bytes {start} to {end}")


def changes(s3: Minio) -> None:
    s3.copy_object(BUCKET, "copy/small", CopySource(BUCKET, COPIED))
    halves = [ComposeSource(BUCKET, LARGE, offset=0, length=PART_BYTES)]
    halves.append(ComposeSource(BUCKET, LARGE, offset=PART_BYTES))
    s3.compose_object(BUCKET, "copy/large", halves)
    tags = Tags.new_object_tags()
    tags["state"] = "new + good/1"
    s3.set_object_tags(BUCKET, COPIED, tags)
    same(dict(s3.get_object_tags(BUCKET, COPIED) or {}), dict(tags), "tags")
    s3.remove_object(BUCKET, FIRST)
    same(list(s3.remove_objects(BUCKET, map(DeleteObject, LAST))), [], "errors of deletes")


def links(s3: Minio) -> None:
    same(everyday.link(s3.presigned_get_object(BUCKET, COPIED)), data(COPIED), "link")
    everyday.link(s3.presigned_put_object(BUCKET, "put/s3v4"), "PUT", data(COPIED))
    policy = PostPolicy(BUCKET, datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1))
    policy.add_starts_with_condition("key", "post/")
    policy.add_content_length_range_condition(1, 1 << 20)
    fields = {"key": "post/s3v4", **s3.presigned_post_policy(policy)}
    address = (
        everyday.ENDPOINT.replace("://", f"://{BUCKET}.")
        if everyday.BASE
        else f"{everyday.ENDPOINT}/{BUCKET}"
    )
    everyday.form(address, fields, data(COPIED))


def main() -> None:
    s3 = connect()
    for step in (upload, reads, changes, links):
        step(s3)


if __name__ == "__main__":
    main()
