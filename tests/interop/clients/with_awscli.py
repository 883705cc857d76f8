"""An everyday round with AWS's command line, version 1."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import everyday
from command_line import run, same_folder
from everyday import BUCKET, COPIED, CORPUS, FIRST, LARGE, LAST, RANGES, SMALL, data, same

HERE = f"s3://{BUCKET}"


def aws(*words: str | Path, fails: bool = False) -> str:
    trust = ("--ca-bundle", everyday.CERTIFICATE) if everyday.CERTIFICATE else ()
    return run("aws", "--endpoint-url", everyday.ENDPOINT, *trust, *words, fails=fails)


def api(operation: str, *words: str | Path) -> dict:
    return json.loads(aws("s3api", operation, "--bucket", BUCKET, *words) or "{}")


def upload() -> None:
    aws("s3", "mb", HERE)
    aws("s3", "cp", CORPUS, HERE, "--recursive", "--only-show-errors")
    same(aws("s3", "sync", CORPUS, HERE), "", "a second sync")


def reads(folder: Path) -> None:
    listed = aws("s3", "ls", HERE, "--recursive", "--page-size", str(everyday.PAGE)).splitlines()
    same([line.split()[-1] for line in listed], [LARGE, *SMALL], "listing")
    same(len(api("list-objects-v2", "--page-size", "300")["Contents"]), len(SMALL) + 1, "pages")
    aws("s3", "sync", HERE, folder / "all", "--only-show-errors")
    same_folder(folder / "all")
    for start, end in RANGES[:2]:
        api("get-object", "--key", LARGE, "--range", f"bytes={start}-{end - 1}", folder / "range")
        same((folder / "range").read_bytes(), data(LARGE)[start:end], f"bytes {start} to {end}")


def changes() -> None:
    aws("s3", "cp", f"{HERE}/{COPIED}", f"{HERE}/copy/small")
    aws("s3", "cp", f"{HERE}/{LARGE}", f"{HERE}/copy/large")
    aws("s3", "rm", f"{HERE}/{FIRST}")
    deletes = {"Objects": [{"Key": key} for key in LAST], "Quiet": False}
    same(len(api("delete-objects", "--delete", json.dumps(deletes))["Deleted"]), len(LAST), "deleted")
    aws("s3", "ls", f"{HERE}/{FIRST}", fails=True)
    same(everyday.link(aws("s3", "presign", f"{HERE}/{COPIED}").strip()), data(COPIED), "link")


def main() -> None:
    upload()
    with tempfile.TemporaryDirectory() as folder:
        reads(Path(folder))
    changes()


if __name__ == "__main__":
    main()
