"""What clients sent and what they were told, and what a hub may therefore hold.

Every line is written with one call, before a change is sent and after its answer came, so
that a death loses none; it may tear the line that is just being written, which is as if it had
come before it: what wasn't said allows more, and forbids nothing. The rule for each key: visible is one of the changes sent to it,
and none that an acknowledged change, begun after it had ended, has replaced.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

State = dict[str, str | None]
"""Key to the SHA-256 of what it holds (hex); None: nothing."""


class Journal:
    """The writing side. Any thread may call; ``fd`` is open for appending.

    ``may_be_torn``: a process may have died while it wrote to it, so it is looked at first.
    """

    def __init__(self, path: Path, *, may_be_torn: bool = False) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        if may_be_torn and path.read_bytes()[-1:] not in (b"", b"\n"):
            os.write(self._fd, b"\n")

    def _line(self, **fields: object) -> None:
        line = json.dumps(fields).encode() + b"\n"
        assert os.write(self._fd, line) == len(line)

    def sent(self, number: str, changes: Mapping[str, str | None]) -> None:
        self._line(sent=number, changes=changes)

    def acknowledged(self, number: str) -> None:
        self._line(acknowledged=number)

    def failed(self, number: str, error: BaseException) -> None:
        self._line(failed=number, kind=type(error).__name__, says=str(error))

    def seen(self, state: State) -> None:
        """What a new process found after a death: from here on this is so."""
        self._line(seen=state)

    def note(self, **fields: object) -> None:
        """Anything else that the test wants to know."""
        self._line(note=fields)


@dataclass
class Op:
    """One change: of one key or of several at once."""

    number: str
    changes: State
    sent: int
    ended: int | None = None
    acknowledged: bool = False
    error: str = ""


class History:
    """The reading side: what lines, in their order, allow."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.base: State = {}
        self.ops: dict[str, Op] = {}
        self.acknowledged: set[str] = set()
        """Digests of all acknowledged puts, replaced since or not."""
        self.answers = 0
        self.failures: list[dict[str, str]] = []
        self.notes: list[dict[str, object]] = []
        for position, line in enumerate(lines):
            with contextlib.suppress(json.JSONDecodeError):
                self._take(position, json.loads(line))

    @classmethod
    def read(cls, path: Path) -> History:
        return cls(path.read_text().splitlines() if path.exists() else [])

    def _take(self, position: int, fields: dict) -> None:
        match fields:
            case {"sent": number, "changes": changes}:
                self.ops[number] = Op(number, changes, position)
            case {"acknowledged": number}:
                op = self.ops[number]
                op.ended, op.acknowledged = position, True
                self.acknowledged |= {digest for digest in op.changes.values() if digest}
                self.answers += 1
            case {"failed": number, "kind": kind, "says": says}:
                self.ops[number].ended = position
                self.failures.append({"kind": kind, "says": says})
            case {"seen": state}:
                self.base, self.ops = state, {}
            case {"note": note}:
                self.notes.append(note)
            case _:
                raise AssertionError(f"line {position} is no line of a journal: {fields}")

    def keys(self) -> set[str]:
        return self.base.keys() | {key for op in self.ops.values() for key in op.changes}

    def allowed(self, key: str) -> set[str | None]:
        """What the key may hold."""
        return {digest for _, digest in self._candidates(key)}

    def _candidates(self, key: str) -> list[tuple[Op | None, str | None]]:
        """The changes that the key may show, with what it holds then; no change: as at the start."""
        mine = [op for op in self.ops.values() if key in op.changes]
        newest = max((op.sent for op in mine if op.acknowledged), default=-1)
        shown: list[tuple[Op | None, str | None]] = [
            (op, op.changes[key]) for op in mine if op.ended is None or op.ended >= newest
        ]
        return shown if newest >= 0 else [(None, self.base.get(key)), *shown]

    def problems(self, state: State) -> list[str]:
        """What is wrong with a hub that holds ``state`` (keys that hold nothing may be left out)."""
        found = []
        for key in sorted(self.keys() | state.keys()):
            allowed = self.allowed(key)
            if state.get(key) not in allowed:
                wanted = sorted(str(digest)[:8] for digest in allowed)
                found.append(f"{key}: {str(state.get(key))[:8]}, allowed: {', '.join(wanted)}")
        return found + [
            f"{op.number}: half of it is visible" for op in self.ops.values() if self._torn(op, state)
        ]

    def _torn(self, op: Op, state: State) -> bool:
        """Whether some of an unanswered change's own keys took it and others didn't."""
        if op.acknowledged:
            return False
        # A key that may show something else for another reason says nothing about this change.
        mine = [key for key in op.changes if self._decides(key, op)]
        return len({state.get(key) == op.changes[key] for key in mine}) == 2

    def _decides(self, key: str, op: Op) -> bool:
        """Whether the key holds one thing if the change was made and another if not."""
        others = [(other, digest) for other, digest in self._candidates(key) if other is not op]
        if len(others) != 1 or others[0][1] == op.changes[key]:
            return False
        other = others[0][0]
        return other is None or (other.ended is not None and other.ended < op.sent)
