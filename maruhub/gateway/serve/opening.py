"""Opening the hub for a worker, and its care if nobody else sees to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from maruhub.api import Hub, connect
from maruhub.gateway.serve.options import ServeOptions


@contextmanager
def open_hub(options: ServeOptions) -> Iterator[Hub]:
    """The hub, open for as long as the worker serves."""
    with connect(options.hub, actor="http") as hub:
        if options.care and not hub.pool.read_only:
            hub.care.start()
        try:
            yield hub
        finally:
            hub.care.stop()
