"""What `make check` asks, asked here too, so that CI, which runs the tests, asks it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("step", ["style", "format", "types", "layers", "sizes"])
def test_check(step: str):
    environment = {**os.environ, "BIN": str(Path(sys.executable).parent)}
    checked = subprocess.run(
        [ROOT / "scripts" / "check", step], env=environment, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
