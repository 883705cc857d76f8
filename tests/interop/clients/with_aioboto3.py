"""An everyday round with aioboto3: the same as boto3's, on an older botocore and asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import aioboto3
import everyday
from boto3.s3.transfer import TransferConfig
from everyday import BUCKET, COPIED, CORPUS, FIRST, LARGE, LAST, PAGE, PART_BYTES, RANGES, SMALL, data, same

PARTS = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)


async def each(work: Callable[[str], Awaitable[object]], keys: Iterable[str]) -> None:
    """Does something with each key, sixteen at a time."""
    gate = asyncio.Semaphore(16)

    async def one(key: str) -> None:
        async with gate:
            await work(key)

    await asyncio.gather(*map(one, keys))


async def upload(s3) -> None:
    await s3.create_bucket(Bucket=BUCKET)
    await each(lambda key: s3.put_object(Bucket=BUCKET, Key=key, Body=data(key)), SMALL)
    await s3.upload_file(str(CORPUS / LARGE), BUCKET, LARGE, Config=PARTS)


async def reads(s3) -> None:
    found = []
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": PAGE})
    async for page in pages:
        found += [entry["Key"] for entry in page["Contents"]]
    same(found, [LARGE, *SMALL], "listing")

    async def whole(key: str) -> None:
        answer = await s3.get_object(Bucket=BUCKET, Key=key)
        same(await answer["Body"].read(), data(key), key)

    await each(whole, SMALL)
    for start, end in RANGES:
        answer = await s3.get_object(Bucket=BUCKET, Key=LARGE, Range=f"bytes={start}-{end - 1}")
        same(await answer["Body"].read(), data(LARGE)[start:end], f"bytes {start} to {end}")


async def changes(s3) -> None:
    source = {"Bucket": BUCKET, "Key": COPIED}
    await s3.copy_object(Bucket=BUCKET, Key="copy/small", CopySource=source)
    await s3.copy({"Bucket": BUCKET, "Key": LARGE}, BUCKET, "copy/large", Config=PARTS)
    await s3.delete_object(Bucket=BUCKET, Key=FIRST)
    await s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in LAST]})
    url = await s3.generate_presigned_url("get_object", source)
    same(everyday.link(url), data(COPIED), "link")
    url = await s3.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": "put/default"})
    everyday.link(url, "PUT", data(COPIED))
    post = await s3.generate_presigned_post(BUCKET, "post/default")
    everyday.form(post["url"], post["fields"], data(COPIED))


async def main() -> None:
    async with aioboto3.Session().client("s3", endpoint_url=everyday.ENDPOINT) as s3:
        await upload(s3)
        await reads(s3)
        await changes(s3)


if __name__ == "__main__":
    asyncio.run(main())
