"""``python -m maruhub`` is the command ``maru``."""

from __future__ import annotations

from maruhub.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
