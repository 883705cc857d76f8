"""What all crash tests share: a seed that is said, so that a red one can be had again."""

from __future__ import annotations

import os
import random

import pytest


@pytest.fixture
def seed() -> int:
    """``SEED`` of the environment, else by chance; printed, so a failure shows it."""
    value = int(os.environ.get("SEED") or random.randrange(1 << 30))
    print(f"SEED={value}")
    return value
