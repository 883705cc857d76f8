"""The machine that figures hold for: never its name, nor a path on it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

_LIBRARIES = ("lmdb", "numpy", "pyarrow", "xxhash")


def machine_facts(folder: Path) -> dict[str, Any]:
    """CPU, memory, system, libraries, and the drive that ``folder`` is on."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "drive": _drive(folder),
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _drive(folder: Path) -> dict[str, Any]:
    """File system and block device below a folder, as far as the system tells."""
    found = _json(["findmnt", "--json", "--target", str(folder), "--output", "FSTYPE,SOURCE"])
    mount = (found.get("filesystems") or [{}])[0]
    facts = {"file_system": mount.get("fstype")}
    device = str(mount.get("source", "")).split("[")[0]
    if device.startswith("/dev/"):
        columns = "NAME,TYPE,SIZE,MODEL,LOG-SEC,PHY-SEC"
        devices = _json(["lsblk", "--json", "--nodeps", "--output", columns, device]).get("blockdevices") or [
            {}
        ]
        facts |= {name: value for name, value in devices[0].items() if value}
    return facts


def _json(command: list[str]) -> dict[str, Any]:
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=10)
        answer: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    return answer


class Company:
    """How much of the machine others use from now on: their work is in every figure."""

    def __init__(self) -> None:
        self._begun = self._now()

    def cores(self) -> float:
        """Cores' worth of work done by anyone but this process and its ended children."""
        elapsed, busy, own = (now - then for now, then in zip(self._now(), self._begun, strict=True))
        return max(0.0, (busy - own) / elapsed)

    @staticmethod
    def _now() -> tuple[float, float, float]:
        ticks = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        user, nice, system, _, _, irq, soft_irq = map(int, ticks[:7])
        busy = (user + nice + system + irq + soft_irq) / os.sysconf("SC_CLK_TCK")
        return time.monotonic(), busy, sum(os.times()[:4])


def machine_line(facts: dict[str, Any]) -> str:
    """The facts in one line for people."""
    drive = facts["drive"]
    words = [str(drive[key]) for key in ("name", "model", "size", "file_system") if drive.get(key)]
    measured = drive.get("measured")
    if measured:
        words.append(
            f"fio, direct, io_uring, depth 32: random 50 KiB reads {measured['random_read_mb_s']:.0f} MB/s, "
            f"sequential 1 MiB writes {measured['write_mb_s']:.0f} MB/s"
        )
    libraries = ", ".join(f"{name} {version}" for name, version in facts["libraries"].items())
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gib']} GiB; Linux {facts['kernel']}; "
        f"Python {facts['python']}; {libraries}; drive: {', '.join(words) or 'unknown'}"
    )
