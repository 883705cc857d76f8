"""Sealing beside other work: one fault leaves the others to be sealed, and nobody waits for ever."""

from __future__ import annotations

import threading

from maruhub.store.sealer import Sealer


def test_a_fault_ends_neither_the_sealing_nor_the_wait():
    sealed: list[int] = []

    def seal(segment: int) -> None:
        if segment == 1:
            raise RuntimeError("a fault")
        sealed.append(segment)

    sealer = Sealer(seal)
    sealer.add(1)
    sealer.add(2)
    waiting = threading.Thread(target=sealer.wait, daemon=True)
    waiting.start()
    waiting.join(10)
    assert not waiting.is_alive()
    sealer.add(3)
    sealer.wait()
    assert sealed == [2, 3]
