"""An everyday round with s5cmd."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import everyday
from command_line import run, run_raw, same_folder
from everyday import BUCKET, COPIED, CORPUS, FIRST, LARGE, LAST, SMALL, data, same

HERE = f"s3://{BUCKET}"


def s5cmd(*words: str | Path, fails: bool = False) -> str:
    return run("s5cmd", "--endpoint-url", everyday.ENDPOINT, *words, fails=fails)


def main() -> None:
    s5cmd("mb", HERE)
    s5cmd("cp", "--part-size", "5", f"{CORPUS}/", f"{HERE}/")
    listed = [json.loads(line)["key"] for line in s5cmd("--json", "ls", f"{HERE}/*").splitlines()]
    same(sorted(key.removeprefix(f"{HERE}/") for key in listed), [LARGE, *SMALL], "listing")
    with tempfile.TemporaryDirectory() as folder:
        # Parts are read as ranges.
        s5cmd("cp", "--part-size", "5", "--concurrency", "3", f"{HERE}/*", f"{folder}/")
        same_folder(Path(folder))
    got = run_raw("s5cmd", "--endpoint-url", everyday.ENDPOINT, "cat", f"{HERE}/{COPIED}")
    same(got, data(COPIED), "cat")
    s5cmd("cp", f"{HERE}/{COPIED}", f"{HERE}/copy/small")
    s5cmd("cp", f"{HERE}/{LARGE}", f"{HERE}/copy/large")
    s5cmd("rm", f"{HERE}/{FIRST}")
    s5cmd("rm", *(f"{HERE}/{key}" for key in LAST))
    s5cmd("ls", f"{HERE}/{FIRST}", fails=True)
    url = s5cmd("presign", "--expire", "1h", f"{HERE}/{COPIED}").strip()
    same(everyday.link(url), data(COPIED), "link")


if __name__ == "__main__":
    main()
