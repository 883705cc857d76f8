"""A hub over a store alone, where nothing asks for its drives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from maruhub.api.hub import Hub
from maruhub.store.protocol import Store


@dataclass
class _BarePool:
    """Just what a hub needs of an open pool."""

    store: Store

    def close(self) -> None:
        self.store.close()


def bare_hub(store: Store) -> Hub:
    return Hub(_BarePool(store), Path("nowhere"), actor="me@here")  # type: ignore[arg-type]
