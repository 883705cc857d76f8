"""The drive below: what fio gets from it, and making the kernel forget what it holds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

DEPTH = 32
_DROP = Path("/proc/sys/vm/drop_caches")


def drop_caches(files: Iterable[Path]) -> None:
    """Makes reads of ``files`` cold: advice to the kernel, and as root its whole cache."""
    os.sync()
    for path in files:
        fd = os.open(path, os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
    try:
        _DROP.write_text("3")
    except OSError:
        pass


def read_from_drive() -> int:
    """Bytes that this process has had read from drives so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes"))


def has_fio() -> bool:
    return shutil.which("fio") is not None


def fio_random_reads(files: Sequence[Path], size_bytes: int, *, block: str) -> dict[str, float]:
    """Random direct reads by io_uring at depth 32: ``mb_s`` and ``reads_s``.

    ``block`` is fio's ``--bs=`` or ``--bssplit=``; reads start on 4 KiB, as objects do.
    """
    names = ":".join(str(path) for path in files)
    job = _fio(
        f"--filename={names}",
        "--rw=randread",
        block,
        "--blockalign=4k",
        f"--io_size={size_bytes}",
        "--file_service_type=random",
        "--norandommap",
        "--randrepeat=0",
        "--readonly",
    )
    return {"mb_s": job["read"]["bw_bytes"] / 1e6, "reads_s": job["read"]["iops"]}


def measure_drive(folder: Path, *, size_bytes: int) -> dict[str, float]:
    """What the drive gives: sequential writes, then random reads of 50 KiB."""
    path = folder / "drive.fio"
    try:
        written = _fio(f"--filename={path}", "--rw=write", "--bs=1M", f"--size={size_bytes}", "--end_fsync=1")
        drop_caches([path])
        reads = fio_random_reads([path], size_bytes, block="--bs=50k")
    finally:
        path.unlink(missing_ok=True)
    return {
        "write_mb_s": written["write"]["bw_bytes"] / 1e6,
        "random_read_mb_s": reads["mb_s"],
        "random_reads_s": reads["reads_s"],
    }


def _fio(*options: str) -> dict[str, Any]:
    command = ["fio", "--name=bench", "--output-format=json", "--direct=1", "--ioengine=io_uring"]
    done = subprocess.run(
        [*command, f"--iodepth={DEPTH}", *options], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"fio failed: {done.stderr.strip() or done.stdout[-500:]}")
    job: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])["jobs"][0]
    return job
