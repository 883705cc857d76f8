"""The parent of the workers: opens the sockets, starts, replaces and stops them.

It serves nothing and opens no hub, so it can hardly fail. Each worker is a fresh interpreter:
one that is started after an upgrade runs the new release, while the old ones end what they are
at. A pipe that only the parent holds tells workers when it is gone, however it went.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from maruhub.errors import Unavailable
from maruhub.gateway.serve.listener import address_of, open_listeners
from maruhub.gateway.serve.options import ServeOptions

_log = logging.getLogger(__name__)

DRAIN = signal.SIGUSR1
"""Asks a worker to take no more connections and to end those it has, in its own time."""

_READY_S = 120.0
_AGAIN_S = 1.0
_TICK_S = 0.5


class _Told(Exception):
    """To stop, while a worker was waited for."""


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    started_s: float = field(default_factory=time.monotonic)
    kill_at_s: float | None = None


class Supervisor:
    """Runs a server until it is told to stop.

    Args:
        options: How to serve.
        metrics: Folder in which workers share what they count.
        told: Hears what people may want to know.
    """

    def __init__(self, options: ServeOptions, metrics: str, told: Callable[[str], None]) -> None:
        self._options = options
        self._metrics = metrics
        self._told = told
        # A worker's place in the list is that of its socket.
        self._listeners: list[socket.socket] = open_listeners(
            options.host, options.port, options.worker_count
        )
        self._workers: list[_Worker] = []
        self._leaving: list[_Worker] = []
        self._stopping = False
        self._reload = False
        self._alive_end, self._alive = os.pipe()
        self._wake_end, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._wake_end, False)

    @property
    def address(self) -> str:
        """``SCHEME://HOST:PORT``."""
        return f"{self._options.scheme}://{address_of(self._listeners[0])}"

    def run(self) -> None:
        """Serves until SIGTERM or SIGINT; SIGHUP replaces the workers without a failed request.

        Raises:
            Unavailable: A first worker did not start.
        """
        before = self._take_signals()
        try:
            with contextlib.suppress(_Told):
                self._serve()
        finally:
            self._stop_all()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _serve(self) -> None:
        self._workers = self._start(range(self._options.worker_count))
        self._told(f"Serving {self._options.hub} at {self.address}")
        while not self._stopping:
            self._sleep(_TICK_S)
            self._look_after()
            if self._reload and not self._stopping:
                self._reload = False
                self._replace()

    def stop(self) -> None:
        """Asks :meth:`run` to end; from any thread."""
        self._stopping = True
        self._poke()

    def reload(self) -> None:
        """Asks for new workers; from any thread."""
        self._reload = True
        self._poke()

    # ------------------------------------------------------------ workers

    def _start(self, places: Iterable[int]) -> list[_Worker]:
        """Starts workers for these places and waits until each serves; on a failure none of them is left."""
        pairs: list[tuple[_Worker, int]] = []
        try:
            for place in places:
                pairs.append(self._spawn(place))  # noqa: PERF401 - those before one that fails must be known
            for _, ready in pairs:
                self._wait_ready(ready)
        except BaseException:
            for worker, _ in pairs:
                worker.process.kill()
                worker.process.wait()
            raise
        finally:
            for _, ready in pairs:
                os.close(ready)
        return [worker for worker, _ in pairs]

    def _wait_ready(self, ready: int) -> None:
        """Until a worker serves; raises Unavailable if it doesn't, _Told if nobody wants it any more."""
        until_s = time.monotonic() + _READY_S
        while not self._stopping:
            left_s = until_s - time.monotonic()
            if self._sleep(left_s, ready):
                if os.read(ready, 1) == b"r":
                    return
                left_s = 0.0
            if left_s <= 0:
                raise Unavailable("a worker did not start.", hint="Its own message is above this one.")
        raise _Told

    def _spawn(self, place: int) -> tuple[_Worker, int]:
        command = [sys.executable, "-m", "maruhub.gateway.serve.worker", self._options.to_json()]
        try:
            ready_end, ready = os.pipe()
        except OSError as error:
            raise _unstarted(error) from error
        descriptors = (self._listeners[place].fileno(), ready, self._alive_end)
        command += [*map(str, descriptors), self._metrics]
        try:
            process = subprocess.Popen(
                command, pass_fds=descriptors, stdin=subprocess.DEVNULL, start_new_session=True
            )
        except OSError as error:
            os.close(ready_end)
            raise _unstarted(error) from error
        finally:
            os.close(ready)
        return _Worker(process), ready_end

    def _look_after(self) -> None:
        """Starts anew what died, kills what does not end in its time."""
        now = time.monotonic()
        for worker in [w for w in self._leaving if w.process.poll() is not None]:
            self._leaving.remove(worker)
        for worker in self._leaving:
            if worker.kill_at_s is not None and now > worker.kill_at_s:
                self._told(f"worker {worker.process.pid} did not end in time and is killed")
                worker.process.kill()
        for place, worker in enumerate(self._workers):
            status = worker.process.poll()
            if status is not None and now - worker.started_s > _AGAIN_S and not self._stopping:
                self._told(
                    f"worker {worker.process.pid} ended with status {status}; another one takes its place"
                )
                worker.started_s = now
                with contextlib.suppress(Unavailable):
                    self._workers[place] = self._start([place])[0]

    def _replace(self) -> None:
        """One after the other: a new worker serves before an old one leaves."""
        for place, old in enumerate(self._workers):
            try:
                self._workers[place] = self._start([place])[0]
            except Unavailable as failure:
                self._told(f"{failure} The old workers go on.")
                return
            self._leave(old, DRAIN, self._options.drain_s + self._options.stop_s)
        self._told(f"{len(self._workers)} new workers serve at {self.address}")

    def _leave(self, worker: _Worker, how: signal.Signals, patience_s: float) -> None:
        worker.kill_at_s = time.monotonic() + patience_s
        worker.process.send_signal(how)
        self._leaving.append(worker)

    def _stop_all(self) -> None:
        for listener in self._listeners:
            listener.close()
        for worker in self._workers:
            if worker.process.poll() is None:
                self._leave(worker, signal.SIGTERM, self._options.stop_s)
        for worker in self._leaving:
            left = max((worker.kill_at_s or 0.0) - time.monotonic(), 0.1)
            if worker.process.poll() is None and worker.kill_at_s is not None:
                worker.process.send_signal(signal.SIGTERM)
            try:
                worker.process.wait(left)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        for descriptor in (self._alive, self._alive_end, self._wake, self._wake_end):
            os.close(descriptor)

    # ------------------------------------------------------------ signals

    def _take_signals(self) -> dict[int, Any]:
        def stop(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        def reload(_number: int, _frame: FrameType | None) -> None:
            self.reload()

        handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}
        return {number: signal.signal(number, handler) for number, handler in handlers.items()}

    def _poke(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake, b".")

    def _sleep(self, seconds: float, *also: int) -> list[int]:
        """Until somebody asks for something, at most so long; or until one of ``also`` can be read, which it says."""
        readable = select.select([self._wake_end, *also], [], [], max(seconds, 0.0))[0]
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_end, 4096)
        return [each for each in readable if each in also]


def _unstarted(error: OSError) -> Unavailable:
    """Of processes, memory or descriptors there are none just now; those who serve go on."""
    return Unavailable(f"a worker can't be started: {error.strerror}.", hint="It is tried again.")
