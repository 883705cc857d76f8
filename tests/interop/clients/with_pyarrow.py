"""An everyday round with the S3 file system of Apache Arrow."""

from __future__ import annotations

import everyday
import pyarrow as pa
import pyarrow.parquet as pq
from everyday import BUCKET, COPIED, FIRST, LARGE, LAST, RANGES, SMALL, data, same
from pyarrow import fs
from pyarrow.fs import FileSelector, FileType, S3FileSystem


def path(key: str) -> str:
    return f"{BUCKET}/{key}"


def write(s3: S3FileSystem, key: str) -> None:
    with s3.open_output_stream(path(key)) as file:
        file.write(data(key))


def upload(s3: S3FileSystem) -> None:
    s3.create_dir(BUCKET)
    everyday.each(lambda key: write(s3, key), SMALL)
    write(s3, LARGE)
    pq.write_table(pa.table({"n": range(10)}), path("table.parquet"), filesystem=s3)
    same(pq.read_table(path("table.parquet"), filesystem=s3, columns=["n"]).num_rows, 10, "rows of a table")
    s3.delete_file(path("table.parquet"))


def reads(s3: S3FileSystem) -> None:
    entries = s3.get_file_info(FileSelector(BUCKET, recursive=True))
    files = sorted(entry.path for entry in entries if entry.type is FileType.File)
    same(files, list(map(path, [LARGE, *SMALL])), "listing")

    def whole(key: str) -> None:
        with s3.open_input_stream(path(key)) as file:
            same(file.read(), data(key), key)

    everyday.each(whole, SMALL)
    with s3.open_input_file(path(LARGE)) as file:
        for start, end in RANGES:
            same(file.read_at(end - start, start), data(LARGE)[start:end], f"bytes {start} to {end}")


def changes(s3: S3FileSystem) -> None:
    s3.copy_file(path(COPIED), path("copy/small"))
    fs.copy_files(path(LARGE), path("copy/large"), source_filesystem=s3, destination_filesystem=s3)
    s3.delete_file(path(FIRST))
    for key in LAST[:-10]:
        s3.delete_file(path(key))
    for key in LAST[-10:]:
        s3.move(path(key), path(f"going/{key}"))
    s3.delete_dir(path("going"))
    same(s3.get_file_info(path(FIRST)).type, FileType.NotFound, "a deleted object")


def main() -> None:
    s3 = S3FileSystem(
        endpoint_override=everyday.ENDPOINT,
        tls_ca_file_path=everyday.CERTIFICATE or None,
        allow_bucket_creation=True,
    )
    for step in (upload, reads, changes):
        step(s3)


if __name__ == "__main__":
    main()
