"""An everyday round with s3fs, the file system through which pandas, Dask and Zarr come."""

from __future__ import annotations

import everyday
import s3fs
from everyday import BUCKET, COPIED, CORPUS, FIRST, LARGE, LAST, PART_BYTES, RANGES, SMALL, data, same


def path(key: str) -> str:
    return f"{BUCKET}/{key}"


def upload(fs: s3fs.S3FileSystem) -> None:
    fs.mkdir(BUCKET)
    fs.put(str(CORPUS / "small") + "/", path("small/"), recursive=True)
    with fs.open(path(LARGE), "wb", block_size=PART_BYTES) as file:
        file.write(data(LARGE))


def reads(fs: s3fs.S3FileSystem) -> None:
    fs.invalidate_cache()
    same(sorted(fs.find(BUCKET)), sorted(map(path, [LARGE, *SMALL])), "find")
    same(sorted(fs.ls(BUCKET, detail=False)), sorted([path(LARGE), path("small")]), "folders")
    same(fs.glob(path("small/00*")), [path(key) for key in SMALL if key < "small/01"], "glob")
    found = fs.cat(list(map(path, SMALL)))
    same(found, {path(key): data(key) for key in SMALL}, "cat")
    for start, end in RANGES:
        same(
            fs.cat_file(path(LARGE), start=start, end=end), data(LARGE)[start:end], f"bytes {start} to {end}"
        )
    with fs.open(path(LARGE)) as file:
        file.seek(-1000, 2)
        same(file.read(), data(LARGE)[-1000:], "the last bytes")


def changes(fs: s3fs.S3FileSystem) -> None:
    fs.copy(path(COPIED), path("copy/small"))
    fs.copy(path(LARGE), path("copy/large"))
    fs.rm(path(FIRST))
    fs.rm(list(map(path, LAST)))
    same(fs.exists(path(FIRST)), False, "a deleted object is there")
    same(everyday.link(fs.sign(path(COPIED))), data(COPIED), "link")
    with fs.open(path("appended"), "wb") as file:
        file.write(data(COPIED)[:10])
    with fs.open(path("appended"), "ab") as file:
        file.write(data(COPIED)[10:])
    fs.mv(path("appended"), path("moved"))


def main() -> None:
    fs = s3fs.S3FileSystem(
        endpoint_url=everyday.ENDPOINT, client_kwargs={"verify": everyday.CERTIFICATE or None}
    )
    for step in (upload, reads, changes):
        step(fs)


if __name__ == "__main__":
    main()
