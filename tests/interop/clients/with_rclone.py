"""An everyday round with rclone, told that S3 is somebody else's."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import everyday
from command_line import run, run_raw, same_folder
from everyday import BUCKET, COPIED, CORPUS, FIRST, LARGE, LAST, RANGES, SMALL, data, same

HERE = f"hub:{BUCKET}"
os.environ |= {
    "RCLONE_CONFIG": os.devnull,
    "RCLONE_CONFIG_HUB_TYPE": "s3",
    "RCLONE_CONFIG_HUB_PROVIDER": "Other",
    "RCLONE_CONFIG_HUB_ENV_AUTH": "true",
    "RCLONE_CONFIG_HUB_ENDPOINT": everyday.ENDPOINT,
    "RCLONE_S3_UPLOAD_CUTOFF": "5Mi",
    "RCLONE_S3_CHUNK_SIZE": "5Mi",
    "RCLONE_S3_COPY_CUTOFF": "5Mi",
    "RCLONE_S3_LIST_CHUNK": str(everyday.PAGE),
    "RCLONE_CA_CERT": everyday.CERTIFICATE,
}


def rclone(*words: str | Path) -> str:
    return run("rclone", *words, "--transfers", "8")


def main() -> None:
    rclone("mkdir", HERE)
    rclone("copy", CORPUS, HERE)
    rclone("check", CORPUS, HERE, "--download")
    rclone("check", CORPUS, HERE)
    listed = json.loads(rclone("lsjson", HERE, "--recursive", "--files-only", "--fast-list"))
    same(sorted(entry["Path"] for entry in listed), [LARGE, *SMALL], "listing")
    with tempfile.TemporaryDirectory() as folder:
        rclone("copy", HERE, folder, "--multi-thread-cutoff", "1Mi", "--multi-thread-chunk-size", "3Mi")
        same_folder(Path(folder))
    for start, end in RANGES:
        part = ("--offset", str(start), "--count", str(end - start))
        got = run_raw("rclone", "cat", f"{HERE}/{LARGE}", *part)
        same(got, data(LARGE)[start:end], f"bytes {start} to {end}")
    rclone("copyto", f"{HERE}/{COPIED}", f"{HERE}/copy/small")
    rclone("copyto", f"{HERE}/{LARGE}", f"{HERE}/copy/large")
    rclone("deletefile", f"{HERE}/{FIRST}")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as names:
        names.write("\n".join(LAST))
        names.flush()
        rclone("delete", HERE, "--files-from", names.name)
    same(everyday.link(rclone("link", f"{HERE}/{COPIED}").strip()), data(COPIED), "link")


if __name__ == "__main__":
    main()
