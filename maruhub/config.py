"""The environment: the only module that reads it, or writes it.

Everything else gets what it needs as arguments.
"""

from __future__ import annotations

import os


def share_metrics_in(folder: str) -> None:
    """Lets this process's metrics be summed with those of others that share ``folder``.

    To be called before ``prometheus_client`` is imported, which looks for it then.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder


def shared_metrics() -> str:
    """The folder of ``share_metrics_in``."""
    return os.environ["PROMETHEUS_MULTIPROC_DIR"]


def hub() -> str:
    """The hub that is meant where nobody names one: a folder or an address; empty where nobody says."""
    return os.environ.get("MARU_HUB", "")


def rank_and_world() -> tuple[str, str]:
    """What a launcher of training processes says of this one: ``RANK``, ``WORLD_SIZE``; else empty."""
    return os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")


def access_key() -> str:
    """Who remote hubs are opened as where the call does not say; empty where nobody says."""
    return os.environ.get("MARU_ACCESS_KEY", "")


def secret_key() -> str:
    """The secret to it; never logged."""
    return os.environ.get("MARU_SECRET_KEY", "")
