"""Granian's runtime for one process: Rust in front of an event loop, on a socket that we own.

Granian's own server starts workers that each open a socket; what takes an inherited one is not
part of its public interface. Everything that leans on that stands in this file, untyped as it is
there; ``tests/interop/test_serve.py`` fails if a release changes it.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from granian.http import HTTP1Settings

from maruhub.gateway.serve.listener import BACKLOG
from maruhub.gateway.serve.options import ServeOptions

_rust: Any = importlib.import_module("granian._granian")
_loops: Any = importlib.import_module("granian._loops")

_HANDING: Final = "_schedule_fn"
_TELLING: Final = "call_soon_threadsafe"
_LOGGER: Final = "_granian.utils"
_GIVEN_UP: Final = "\nConnectionError: "

Answering = Callable[[Any, Any], Coroutine[Any, Any, None] | None]
"""Of RSGI's scope and protocol. It answers, or gives what is to be run in the event loop until it has."""


class Runtime:
    """Serves an app on a listening socket until it is stopped.

    Args:
        answer: Called for each request, one after the other, in a thread of the server's own: it must not
            wait for anything.
        options: How to serve.
        listener: The socket's descriptor; stays open.
    """

    def __init__(self, answer: Answering, options: ServeOptions, listener: int) -> None:
        logging.getLogger(_LOGGER).addFilter(is_news)
        self.loop: asyncio.AbstractEventLoop = _loops.loops.get("auto")
        asyncio.set_event_loop(self.loop)
        self._stopped = asyncio.Event()
        self._signal = _rust.WorkerSignal()
        self._signal.add_cb(lambda: self.loop.call_soon_threadsafe(self._stopped.set))
        self._scheduler = _rust.CallbackScheduler(self.loop, None, None, None, None)
        setattr(self._scheduler, _HANDING, _handing(answer, self.loop))
        setattr(self.loop, _TELLING, _telling(self.loop.call_soon_threadsafe))
        self._worker = _worker(options, listener)

    def run(self) -> None:
        """Returns when :meth:`stop` was called and all requests are answered."""
        self._worker.serve_str(self._scheduler, self.loop, self._signal)
        self.loop.run_until_complete(self._stopped.wait())

    def stop(self) -> None:
        """Ends idle connections now, and the others with the answer they wait for."""
        self._signal.set()


def is_news(record: logging.LogRecord) -> bool:
    """Whether nobody has told of it: a client that was given up stands in the log in a line of its request's.

    The server's runtime adds the whole way of each error that it is handed, in the message's own text.
    """
    return _GIVEN_UP not in record.getMessage()


def _telling(to_loop: Callable[..., Any]) -> Callable[..., Any]:
    """How the runtime tells of what is done: to the loop, or at once to whom any thread may tell."""

    def tell(callback: Any, *arguments: Any, context: Any = None) -> Any:
        if getattr(callback, "any_thread", False):
            return callback(*arguments)
        return to_loop(callback, *arguments, context=context)

    return tell


def _handing(answer: Answering, loop: asyncio.AbstractEventLoop) -> Callable[[Any], None]:
    """What the server's runtime calls with a request: one thread does, and passes over what this raises.

    A request that waits for nothing is answered in that thread. To wake the event loop's for it would
    take a third of the time that such a request takes, and both would wait for the interpreter's lock.
    """

    def hand(watcher: Any) -> None:
        rest = None
        try:
            rest = answer(watcher.scope, watcher.proto)
            if rest is not None:
                loop.call_soon_threadsafe(begin, rest, watcher)
        except BaseException as error:  # noqa: BLE001 - nobody above would hear of it
            if rest is not None:
                rest.close()
            watcher.err(error)

    def begin(rest: Coroutine[Any, Any, None], watcher: Any) -> None:
        watcher.taskref(loop.create_task(_watched(rest, watcher)))

    return hand


async def _watched(rest: Coroutine[Any, Any, None], watcher: Any) -> None:
    try:
        await rest
    except BaseException as error:  # noqa: BLE001 - nobody above would hear of it
        watcher.err(error)
    else:
        watcher.done()


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
