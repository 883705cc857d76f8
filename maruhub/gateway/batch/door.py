"""The batch door as a server mounts it: requests in, answers out; sockets are the server's."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from maruhub.api.hub import Hub
from maruhub.errors import InvalidInput, MaruError
from maruhub.gateway.answer import Answer
from maruhub.gateway.batch.calls.table import calls_of, find
from maruhub.gateway.batch.fields import Fields, parse_object
from maruhub.gateway.batch.framing import frames
from maruhub.gateway.batch.located import Run, epoch_runs, object_runs, row_runs
from maruhub.gateway.batch.opened.courses import Courses
from maruhub.gateway.batch.opened.sources import Sources
from maruhub.gateway.batch.request import ReadEpoch, ReadObjects, ReadRequest, parse_read
from maruhub.gateway.batch.rights import Allowed
from maruhub.gateway.batch.tar import archive
from maruhub.gateway.batch.told import object_to_json
from maruhub.gateway.batch.writing import WritePart, parse_write, put, put_part
from maruhub.gateway.head import Head
from maruhub.wire import fault
from maruhub.wire.table import encode_table

PREFIX: Final = "/-/batch/v1/"
FRAMES: Final = "application/vnd.maruhub.frames"
ARROW: Final = "application/vnd.apache.arrow.stream"
TAR: Final = "application/x-tar"
JSON: Final = "application/json"
_KINDS: Final = frozenset({"read", "write", "call"})


class BatchDoor:
    """Answers the requests of the batch door on one hub. Safe from many threads.

    All of it blocks: a server calls :meth:`answer`, and runs what it returns, in threads.

    Args:
        hub: Open; it stays the caller's.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._sources = Sources(hub)
        self._courses = Courses(self._sources)
        self._calls = calls_of(self._sources, self._courses)

    @staticmethod
    def handles(path: str) -> bool:
        """Whether requests for ``path`` are this door's."""
        return path.startswith(PREFIX)

    @staticmethod
    def name_of(path: str) -> str:
        """What a request for ``path`` is counted as: one of a few names, whatever strangers ask for."""
        what = path.removeprefix(PREFIX)
        return f"batch-{what}" if what in _KINDS else "batch"

    def answer(self, head: Head, body: bytes, allowed: Allowed, *, actor: str = "") -> Answer:
        """The answer to a request whose signature and body were checked.

        Whatever the request says, this raises no MaruError: it is answered.

        Args:
            head: The request.
            body: All of it.
            allowed: Who may what, for the key that signed.
            actor: The user whose key it is: for histories, and as the owner of buckets that are made.
                Empty: whoever opened the hub, and nobody.
        """
        try:
            return self._answer(head, body, allowed, actor)
        except MaruError as error:
            told = json.dumps({"error": fault.to_json(error)}).encode()
            return Answer(fault.status_of(error), [*_type(JSON), *_wait(error)], told)

    def read(self, request: ReadRequest, allowed: Allowed, *, tar: bool = False) -> Iterator[bytes]:
        """The chunks of an answer; what refuses the request as a whole is raised here, not by them."""
        runs, about = self._runs(request, allowed)
        if tar:
            return archive(self._hub.store, runs, mtime=int(time.time()))
        return frames(self._hub.store, runs, about, verify=not request.unchecked)

    def write(self, body: bytes, allowed: Allowed, *, actor: str = "") -> dict[str, Any]:
        """Stores a batch, or a part; the answer's JSON. Raises what parsing and putting raise."""
        names, write = self._hub_of(actor).namespace, parse_write(body)
        if isinstance(write, WritePart):
            return {"etag": put_part(names, write, allowed)}
        return {"items": [object_to_json(info) for info in put(names, write, allowed, owner=actor)]}

    def call(self, name: str, arguments: object, allowed: Allowed, *, actor: str = "") -> Any:
        """The result of a call: a JSON value, or an Arrow table."""
        call = find(self._calls, name)
        return call.act(
            self._hub_of(actor), Fields(arguments, f"the arguments of {name}", owner=actor), allowed
        )

    def _hub_of(self, actor: str) -> Hub:
        """The hub, with this actor's name on what they do."""
        return Hub(self._hub.pool, self._hub.path, actor=actor) if actor else self._hub

    def _answer(self, head: Head, body: bytes, allowed: Allowed, actor: str) -> Answer:
        if head.method != "POST":
            raise InvalidInput(f"the batch door takes POST, not {head.method[:20]}.")
        what = head.path.removeprefix(PREFIX)
        if what == "read":
            tar = TAR in head.by_name.get("accept", "")
            request = parse_read(parse_object(body, "the request"))
            return Answer(200, _type(TAR if tar else FRAMES), self.read(request, allowed, tar=tar))
        if what == "write":
            return Answer(200, _type(JSON), json.dumps(self.write(body, allowed, actor=actor)).encode())
        if what == "call":
            return self._call(body, allowed, actor)
        raise InvalidInput(f"the batch door has no {what[:80]!r}.", hint="It has read, write and call.")

    def _call(self, body: bytes, allowed: Allowed, actor: str) -> Answer:
        fields = Fields(parse_object(body, "the request"), "the request")
        name, arguments = fields.text("call"), fields.take("arguments", {})
        fields.done()
        result = self.call(name, arguments, allowed, actor=actor)
        if self._calls[name].is_table:
            return Answer(200, _type(ARROW), encode_table(result))
        return Answer(200, _type(JSON), json.dumps({"result": result}).encode())

    def _runs(self, request: ReadRequest, allowed: Allowed) -> tuple[Iterator[Run], dict[str, Any]]:
        if isinstance(request, ReadObjects):
            return object_runs(self._hub.namespace, request, allowed), {}
        if isinstance(request, ReadEpoch):
            course = self._courses.open(request, allowed)
            return epoch_runs(course, request), {"source": course.view.digest, "size": len(course.view)}
        view = self._sources.open_for_reading(request.source, allowed)
        about = {"source": view.digest, "size": len(view)}
        if request.rows and max(request.rows) >= len(view):
            raise InvalidInput(f"rows reach beyond the {len(view)} of this view.", hint="Rows count from 0.")
        rows = np.array(request.rows[request.skip :], dtype=np.uint64)
        return row_runs(view, rows, columns=request.columns), about


def _type(name: str) -> list[tuple[str, str]]:
    return [("content-type", name)]


def _wait(error: MaruError) -> list[tuple[str, str]]:
    return [("retry-after", "1")] if fault.status_of(error) == 503 else []
