"""The HTTP server's runtime alone: ``python … FOLDER PORT SIZE``, a process a core.

Every request is answered with the same bytes from memory, in the thread that hands it over; nothing
of it is looked at. What a handler costs is the way from here to the hub's own figure.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from maruhub.gateway.serve.listener import open_listeners
from maruhub.gateway.serve.options import ServeOptions
from maruhub.gateway.serve.runtime import Runtime

HOST = "127.0.0.1"


def main(folder: Path, port: int, size: int) -> None:
    body = os.urandom(size)
    headers = [("content-type", "binary/octet-stream"), ("content-length", str(size))]

    def answer(_scope: Any, protocol: Any) -> None:
        protocol.response_bytes(200, headers, body)

    listeners = open_listeners(HOST, port, len(os.sched_getaffinity(0)))
    alive, parents = os.pipe()
    place = next((place for place in range(1, len(listeners)) if not os.fork()), 0)
    for other, listener in enumerate(listeners):
        if other != place:
            # Else whoever has it open would be dealt its connections too.
            listener.close()
    runtime = Runtime(answer, ServeOptions(hub=folder), listeners[place].fileno())
    if place:
        # Readable once the parent has ended, whatever ended it.
        os.close(parents)
        runtime.loop.add_reader(alive, os._exit, 0)
    runtime.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
