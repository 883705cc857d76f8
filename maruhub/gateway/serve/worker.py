"""One worker: a process that opens the hub and answers on the inherited socket.

Run by the supervisor as ``python -m maruhub.gateway.serve.worker OPTIONS LISTENER READY ALIVE METRICS``.
SIGTERM ends it behind the requests it is at. SIGUSR1 (drain) first gives clients time: it takes no
new connections, and tells each open one with its next answer that it is the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from maruhub import config
from maruhub.gateway.serve.listener import stop_accepting
from maruhub.gateway.serve.options import ServeOptions
from maruhub.gateway.serve.runtime import Runtime
from maruhub.gateway.serve.telemetry.sharing import take_over

_log = logging.getLogger(__name__)

_FLUSH_S = 0.5
"""How often what has been answered is handed over to the log and the counters."""
_LINGER_TICK_S = 0.05
_SWITCH_S = 0.001
# Of mallopt in malloc.h: their numbers, and bytes.
_TRIM_THRESHOLD = -1, 8 << 20
_MMAP_THRESHOLD = -3, 4 << 20


def main(arguments: list[str]) -> int:
    """Serves until told to stop; its exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    options = ServeOptions.from_json(arguments[0])
    listener, ready, alive = map(int, arguments[1:4])
    # Before anything imports the library that counts.
    config.share_metrics_in(arguments[4])
    take_over(Path(arguments[4]))
    from maruhub.gateway.serve.app import App
    from maruhub.gateway.serve.opening import open_hub

    with open_hub(options) as hub:
        app = App(hub, options)
        _settle()
        _Server(app, options, listener, ready=ready, alive=alive).run()
        app.close()
    return 0


def _settle() -> None:
    """Keeps what has nothing to do with a request out of its way."""
    # Modules and tables live as long as the process: nobody need look through them again for garbage.
    gc.collect()
    gc.freeze()
    # Whoever gives the interpreter up for a call, as each read of bytes does, waits so long to have it
    # back from a thread of the background that computes.
    sys.setswitchinterval(_SWITCH_S)
    # An answer's memory serves the next one. By itself the allocator gives a MiB back to the kernel and takes
    # it anew: to have it cleared and mapped again costs more than all else that an answer of a MiB does.
    with contextlib.suppress(AttributeError):  # another C library keeps memory as it will
        for setting in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            ctypes.CDLL(None).mallopt(*setting)


class _Server:
    """Granian's runtime around an app, with our own way to stop."""

    def __init__(self, app: Any, options: ServeOptions, listener: int, *, ready: int, alive: int) -> None:
        self._app = app
        self._options = options
        self._listener = listener
        self._ready = ready
        self._alive = alive
        self._runtime = Runtime(app.answer, options, listener)
        self._draining: asyncio.Task[None] | None = None

    def run(self) -> None:
        loop = self._runtime.loop
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGUSR1, self._drain, loop)
        # The other end closes when the parent is gone, whatever became of it.
        loop.add_reader(self._alive, self._orphaned)
        loop.call_soon(self._say_ready)
        loop.call_later(_FLUSH_S, self._flush, loop)
        self._runtime.run()

    def _say_ready(self) -> None:
        os.write(self._ready, b"r")
        os.close(self._ready)

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        # First: one that goes wrong is logged, and must not be the last.
        loop.call_later(_FLUSH_S, self._flush, loop)
        self._app.flush()

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._draining is None:
            self._draining = loop.create_task(self._leave())

    async def _leave(self) -> None:
        stop_accepting(self._listener)
        self._app.drain()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._options.drain_s
        while loop.time() < until:
            await asyncio.sleep(_LINGER_TICK_S)
        self._end()

    def _orphaned(self) -> None:
        # The parent would have killed a worker that does not come to its end.
        last = threading.Timer(self._options.stop_s, os._exit, (1,))
        last.daemon = True
        last.start()
        self._end()

    def _end(self) -> None:
        with contextlib.suppress(ValueError, OSError):
            asyncio.get_running_loop().remove_reader(self._alive)
        self._app.drain()
        self._runtime.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
