"""An everyday round with boto3 as it comes: checksums, signatures and transfers are its defaults."""

from __future__ import annotations

import io

import boto3
import everyday
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from everyday import BUCKET, COPIED, CORPUS, FIRST, LARGE, LAST, PAGE, PART_BYTES, RANGES, SMALL, data, same

PARTS = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)


def client(**options: object):
    """A client with default settings but these."""
    if everyday.BASE:
        options["s3"] = {"addressing_style": "virtual"}
    return boto3.client("s3", endpoint_url=everyday.ENDPOINT, config=Config(**options))


def upload(s3) -> None:
    s3.create_bucket(Bucket=BUCKET)
    everyday.each(lambda key: s3.put_object(Bucket=BUCKET, Key=key, Body=data(key)), SMALL)
    more = {"Metadata": {"by": "zoe"}, "ContentType": "application/x-large"}
    s3.upload_file(str(CORPUS / LARGE), BUCKET, LARGE, Config=PARTS, ExtraArgs=more)
    head = s3.head_object(Bucket=BUCKET, Key=LARGE, ChecksumMode="ENABLED")
    same(head["ContentType"], "application/x-large", "content type")
    same(head["ContentLength"], len(data(LARGE)), "length")
    same(any(name.startswith("Checksum") for name in head), True, f"a checksum in {sorted(head)}")


def listings(s3) -> None:
    for operation in ("list_objects_v2", "list_objects"):
        pages = list(s3.get_paginator(operation).paginate(Bucket=BUCKET, PaginationConfig={"PageSize": PAGE}))
        same(len(pages), (len(SMALL) + 1) // PAGE + 1, f"pages of {operation}")
        found = [(entry["Key"], entry["Size"]) for page in pages for entry in page["Contents"]]
        same(found, [(key, len(data(key))) for key in [LARGE, *SMALL]], operation)
    folders = s3.list_objects_v2(Bucket=BUCKET, Delimiter="/")["CommonPrefixes"]
    same(folders, [{"Prefix": "small/"}], "folders")


def reads(s3) -> None:
    def whole(key: str) -> None:
        same(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read(), data(key), key)

    everyday.each(whole, SMALL)
    large = data(LARGE)
    for start, end in RANGES:
        answer = s3.get_object(Bucket=BUCKET, Key=LARGE, Range=f"bytes={start}-{end - 1}")
        same(answer["Body"].read(), large[start:end], f"bytes {start} to {end}")
    downloaded = io.BytesIO()
    s3.download_fileobj(BUCKET, LARGE, downloaded, Config=PARTS)
    same(downloaded.getvalue(), large, "download by ranges")
    part = s3.get_object(Bucket=BUCKET, Key=LARGE, PartNumber=2)
    same(part["Body"].read(), large[PART_BYTES : 2 * PART_BYTES], "second part")
    try:
        s3.get_object(Bucket=BUCKET, Key=LARGE, IfNoneMatch=part["ETag"])
    except ClientError as error:
        same(error.response["ResponseMetadata"]["HTTPStatusCode"], 304, "unchanged")
    else:
        raise SystemExit("an unchanged object was sent again")


def copies(s3) -> None:
    s3.copy_object(Bucket=BUCKET, Key="copy/small", CopySource={"Bucket": BUCKET, "Key": COPIED})
    s3.copy({"Bucket": BUCKET, "Key": LARGE}, BUCKET, "copy/large", Config=PARTS)


def deletes(s3) -> None:
    s3.delete_object(Bucket=BUCKET, Key=FIRST)
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in LAST]})
    same(len(answer["Deleted"]), len(LAST), "deleted")
    try:
        s3.head_object(Bucket=BUCKET, Key=FIRST)
    except ClientError as error:
        same(error.response["Error"]["Code"], "404", "a deleted object")
    else:
        raise SystemExit("a deleted object is there")


def presigned(s3, kind: str) -> None:
    """Links and forms of a client, whatever signature it takes for them."""
    place = {"Bucket": BUCKET, "Key": COPIED}
    same(everyday.link(s3.generate_presigned_url("get_object", place)), data(COPIED), f"{kind} link")
    text = everyday.link(
        s3.generate_presigned_url("list_objects_v2", {"Bucket": BUCKET, "Prefix": "copy/", "MaxKeys": 1})
    )
    same(b"<Key>copy/large</Key>" in text, True, f"{kind} listing")
    more = {"ContentType": "image/png", "Metadata": {"by": "ann"}}
    put = s3.generate_presigned_url("put_object", {"Bucket": BUCKET, "Key": f"put/{kind}", **more})
    headers = {"content_type": "image/png", "x_amz_meta_by": "ann"}
    everyday.link(put, "PUT", data(COPIED), **headers)
    head = s3.head_object(Bucket=BUCKET, Key=f"put/{kind}")
    same((head["ContentType"], head["Metadata"]), ("image/png", {"by": "ann"}), f"{kind} upload")
    post = s3.generate_presigned_post(BUCKET, f"post/{kind}")
    everyday.form(post["url"], post["fields"], data(COPIED))


def main() -> None:
    s3 = client()
    for step in (upload, listings, reads, copies, deletes):
        step(s3)
    presigned(s3, "default")
    presigned(client(signature_version="s3v4"), "s3v4")


if __name__ == "__main__":
    main()
