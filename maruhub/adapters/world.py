"""Which of how many training processes this is, for adapters that are not told.

Asked in this order: arguments; an initialised ``torch.distributed``; ``RANK`` and ``WORLD_SIZE``,
as launchers set them; an initialised ``jax.distributed``; else one process alone. Half an answer
is refused: a loader that knew the world but not its rank would give each process the same samples.
"""

from __future__ import annotations

import sys

from maruhub import config
from maruhub.errors import InvalidInput


def find_world(rank: int | None = None, world: int | None = None) -> tuple[int, int]:
    """Rank and world; raises InvalidInput where only one of them is known."""
    if rank is not None or world is not None:
        return _both(rank, world, "the arguments")
    torch = sys.modules.get("torch.distributed")
    if torch is not None and torch.is_available() and torch.is_initialized():
        return torch.get_rank(), torch.get_world_size()
    told = config.rank_and_world()
    if told != ("", ""):
        rank, world = (_number(name, text) for name, text in zip(("RANK", "WORLD_SIZE"), told, strict=True))
        return _both(rank, world, "RANK and WORLD_SIZE")
    jax = sys.modules.get("jax")
    # Asking jax who it is starts its backends; only a cluster that is up is worth that.
    if jax is not None and jax.distributed.is_initialized():
        return jax.process_index(), jax.process_count()
    return 0, 1


def _both(rank: int | None, world: int | None, where: str) -> tuple[int, int]:
    if rank is None or world is None:
        raise InvalidInput(
            f"{where} say rank {rank} of world {world}: one of them is missing.",
            hint="Give both, or neither: rank=0, world=1 for a process alone.",
        )
    return rank, world


def _number(name: str, text: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise InvalidInput(
            f"{name} is {text!r}, not a whole number.", hint="Launchers set it; or pass rank= and world=."
        )
    return int(text)
