"""Granian's runtime for one process: Rust in front of an event loop, on a socket that we own.

Granian's own server starts workers that each open a socket; what takes an inherited one is not
part of its public interface. Everything that leans on that stands in this file, untyped as it is
there; ``tests/interop/test_serve.py`` fails if a release changes it.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Coroutine
from typing import Any

from granian.http import HTTP1Settings

from maruhub.gateway.serve.listener import BACKLOG
from maruhub.gateway.serve.options import ServeOptions

_rust: Any = importlib.import_module("granian._granian")
_scheduler: Any = vars(importlib.import_module("granian._futures"))
_loops: Any = importlib.import_module("granian._loops")

Answering = Callable[[Any, Any], Coroutine[Any, Any, None]]
"""RSGI's: a scope and a protocol."""


class Runtime:
    """Serves an app on a listening socket until it is stopped.

    Args:
        answer: Called for each request, in the event loop.
        options: How to serve.
        listener: The socket's descriptor; stays open.
    """

    def __init__(self, answer: Answering, options: ServeOptions, listener: int) -> None:
        self.loop: asyncio.AbstractEventLoop = _loops.loops.get("auto")
        asyncio.set_event_loop(self.loop)
        self._stopped = asyncio.Event()
        self._signal = _rust.WorkerSignal()
        self._signal.add_cb(lambda: self.loop.call_soon_threadsafe(self._stopped.set))
        watched = _scheduler["_future_watcher_wrapper"](answer)
        self._scheduler = _scheduler["_new_cbscheduler"](self.loop, watched, impl_asyncio=True)
        self._worker = _worker(options, listener)

    def run(self) -> None:
        """Returns when :meth:`stop` was called and all requests are answered."""
        self._worker.serve_str(self._scheduler, self.loop, self._signal)
        self.loop.run_until_complete(self._stopped.wait())

    def stop(self) -> None:
        """Ends idle connections now, and the others with the answer they wait for."""
        self._signal.set()


def _worker(options: ServeOptions, listener: int) -> Any:
    limits = HTTP1Settings(
        header_read_timeout=int(options.keep_s * 1000),
        max_buffer_size=max(64 << 10, 2 * options.header_bytes),
    )
    certificate, key = (None if p is None else str(p) for p in (options.tls_cert, options.tls_key))
    socket = (None, _rust.SocketHolder(listener, False, BACKLOG))
    threads = (1, 64, 1, 30)
    http = (options.connections, "1", limits, None, False, None)
    tls: tuple[Any, ...] = (certificate is not None, certificate, key, None, "tls1.2", None, [], False)
    return _rust.RSGIWorker(1, socket, None, *threads, *http, *tls, (None, None))
