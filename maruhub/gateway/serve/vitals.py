"""What a worker says of itself: that it lives, whether it is ready, what has been counted."""

from __future__ import annotations

from typing import Final

from maruhub.gateway.answer import Answer, Step
from maruhub.gateway.head import Head
from maruhub.gateway.serve.desk import Desk

RETRY: Final = ("retry-after", "1")
_PLAIN: Final = ("content-type", "text/plain; charset=utf-8")


def vital_of(head: Head, desk: Desk) -> tuple[str, Step] | None:
    """The name of what is asked and its answer; None for all other requests."""
    if head.method not in ("GET", "HEAD"):
        return None
    if head.path == "/-/health":
        return "health", Answer(200, [_PLAIN], b"ok\n")
    if head.path == "/-/ready":
        return "ready", _ready(desk)
    if head.path == "/metrics" and "authorization" not in head.by_name:
        return "metrics", _metrics(desk)
    return None


async def _ready(desk: Desk) -> Answer:
    if desk.draining:
        return Answer(503, [_PLAIN, RETRY], b"draining\n")
    await desk.crossing.run(desk.hub.namespace.buckets.all)
    return Answer(200, [_PLAIN], b"ready\n")


async def _metrics(desk: Desk) -> Answer:
    desk.register.flush()
    kind, text = await desk.crossing.run(desk.metrics.text)
    return Answer(200, [("content-type", kind)], text)
