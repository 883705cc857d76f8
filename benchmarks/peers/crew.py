"""All peers at once: started together, asked in turns; whoever fails is left out, and named."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from benchmarks.harness import Bench
from benchmarks.peers.process import PeerFailed, PeerProcess, Side
from benchmarks.site import Missing


class Crew:
    """The processes of sides. A context: they end with it."""

    def __init__(self, bench: Bench, sides: Iterable[Side]) -> None:
        self._bench = bench
        self._peers: dict[Side, PeerProcess] = {}
        self._scratch = bench.scratch / "peers"
        self._scratch.mkdir(exist_ok=True)
        missing = {}
        for side in sides:
            try:
                self._peers[side] = PeerProcess(side, self._scratch)
            except Missing as what:
                missing.setdefault(str(what), []).append(side.title)
        for what, titles in missing.items():
            bench.note(f"{', '.join(titles)}: left out, {what} is not on this machine.")
        self.each(lambda side: self._peers[side].wait_until_ready())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for peer in self._peers.values():
            peer.tell_to_end()  # Libraries take seconds to go: all of them at once.
        for peer in self._peers.values():
            peer.end()

    def sides(self) -> list[Side]:
        """Those that run."""
        return list(self._peers)

    def ask(self, side: Side, do: str, **words: Any) -> dict[str, Any]:
        """See :meth:`PeerProcess.ask`."""
        if side not in self._peers:
            raise PeerFailed(f"{side.title} was left out before.")
        return self._peers[side].ask(do, **words)

    def renew(self, side: Side) -> None:
        """Another process in the place of a side's."""
        self._peers[side].end()
        self._peers[side] = PeerProcess(side, self._scratch)
        self._peers[side].wait_until_ready()

    def each(self, act: Callable[[Side], object], sides: Sequence[Side] | None = None) -> None:
        """Does something with each side, or with some of those that run."""
        for side in self.sides() if sides is None else sides:
            if side not in self._peers:
                continue
            try:
                act(side)
            except PeerFailed as failure:
                self._leave_out(side, failure)

    def _leave_out(self, side: Side, failure: PeerFailed) -> None:
        print(f"{side.title} failed: {failure}", file=sys.stderr)
        last = str(failure).strip().rpartition("\n")[2]
        self._bench.note(f"{side.title} is left out, it failed: {last[:200]}")
        peer = self._peers.pop(side, None)
        if peer is not None:
            peer.end()
