"""``maru`` as a user runs it: a process, its output, its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    """What one command did."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Maru:
    """Runs commands in a folder."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        # An installed maru has its byte code; a checkout may be told to keep none.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        bytecode = {"PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bytecode"), "PYTHONPATH": str(ROOT)}
        self.environment = {**kept, **bytecode, **environment}

    def start(self, *words: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "maruhub", *map(str, words)],
            **{"cwd": self.folder, "env": self.environment, "stdout": -1, "stderr": -1, **options},
        )

    def __call__(
        self,
        *words: str | Path,
        stdin: bytes = b"",
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        process = self.start(
            *words, stdin=subprocess.PIPE, cwd=cwd or self.folder, env={**self.environment, **(env or {})}
        )
        out, err = process.communicate(stdin, timeout=60)
        return Result(process.returncode, out, err.decode())

    def ok(self, *words: str | Path, stdin: bytes = b"") -> Result:
        """As calling it, but it must succeed."""
        result = self(*words, stdin=stdin)
        assert result.status == 0, result.err
        assert "Traceback" not in result.err
        return result
