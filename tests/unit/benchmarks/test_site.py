"""Ports of servers that benchmarks start."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import pytest

from benchmarks.site import free_ports

FIND = "from benchmarks.site import free_ports; print(*free_ports(1), flush=True); input()"


class Probe(socket.socket):
    """The kernel gives it one of two ports, again and again."""

    ports: list[int] = []  # noqa: RUF012 - of the test that sets it

    def bind(self, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            address = (address[0], self.ports.pop(0))
        super().bind(address)


def test_two_benchmarks_are_never_given_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FIND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = int(other.stdout.readline())
        mine, next_one = free_ports(2)
        assert len({theirs, mine, next_one}) == 3
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = int(probe.getsockname()[1])
        monkeypatch.setattr(Probe, "ports", [theirs, mine, free])
        monkeypatch.setattr(socket, "socket", Probe)
        assert free_ports(1) == [free]
        other.communicate("\n")
