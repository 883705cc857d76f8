"""iperf3: what the loopback carries when nobody reads, sums or frames anything."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

from benchmarks.site import HOST, Missing, free_ports, running

_TRIES = 50


def iperf_bytes_a_second(folder: Path, *, streams: int, seconds: int) -> float:
    """Bytes a second that arrived, all streams together.

    Args:
        folder: For the server's log.
        streams: Connections side by side.
        seconds: How long.

    Raises:
        Missing: iperf3 is not installed.
    """
    if shutil.which("iperf3") is None:
        raise Missing("iperf3 (Debian: iperf3)")
    (port,) = free_ports(1)
    command = ["iperf3", "-c", HOST, "-p", str(port), "-P", str(streams), "-t", str(seconds), "-J"]
    # Its server takes a connection that says nothing for a test: it can't be asked whether it listens.
    with running(["iperf3", "-s", "-B", HOST, "-p", port], folder / "iperf3.log"):
        for _ in range(_TRIES):
            told = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
            if "sum_received" in told.get("end", {}):
                return float(told["end"]["sum_received"]["bits_per_second"]) / 8
            time.sleep(0.1)
    raise RuntimeError(told.get("error", "iperf3 says nothing"))
