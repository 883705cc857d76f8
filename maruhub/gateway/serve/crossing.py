"""The one place where the event loop hands work to threads.

Whatever touches the hub may wait for a drive. It runs in a bounded set of threads; so does
nothing else. When too many wait already, the client is told to slow down at once, rather than
after its own patience.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from maruhub.gateway.s3.failure import S3Failure

T = TypeVar("T")


class Crossing:
    """Runs calls in threads; used from one event loop.

    Args:
        threads: How many run at a time.
        waiting: How many more may wait for one.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="maru-serve")
        self._most = threads + waiting
        self.pending = 0

    async def run(self, call: Callable[..., T], *arguments: object) -> T:
        """What ``call`` returns or raises, run in a thread. Raises ``SlowDown`` if too many wait."""
        if self.pending >= self._most:
            raise S3Failure("SlowDown")
        return await self.finish(call, *arguments)

    async def finish(self, call: Callable[..., T], *arguments: object) -> T:
        """The same for what was begun already: it is never refused."""
        self.pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call, *arguments)
        finally:
            self.pending -= 1

    def close(self) -> None:
        """Waits for what runs."""
        self._pool.shutdown(wait=True, cancel_futures=False)
